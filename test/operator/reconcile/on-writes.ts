import type { KubeApi } from '../../../operator/kube/api.ts'
import type { Kind, KubeObject } from '../../../operator/kube/types.ts'
import { changedApi } from './changed-api.ts'

/** Stands before a write: carries it out, or not, by `write`. */
export type WriteHook = <T>(verb: string, kind: Kind, write: () => Promise<T>) => Promise<T>

/** The same API with a hook before each write. */
export function onWrites (api: KubeApi, hook: WriteHook): KubeApi {
  const write = <T>(verb: string, kind: Kind, carryOut: () => Promise<T>): Promise<T> => hook(verb, kind, carryOut)
  return changedApi(api, {
    create: async (kind, object) => await write('create', kind, async () => await api.create(kind, object)),
    replace: async (kind, object) => await write('replace', kind, async () => await api.replace(kind, object)),
    apply: async (kind, object, subresource) =>
      await write<KubeObject>('apply', kind, async () => await api.apply(kind, object, subresource)),
    patch: async (kind, namespace, name, patch) =>
      await write('patch', kind, async () => await api.patch(kind, namespace, name, patch)),
    delete: async (kind, namespace, name, preconditions) => {
      await write('delete', kind, async () => { await api.delete(kind, namespace, name, preconditions) })
    }
  })
}
