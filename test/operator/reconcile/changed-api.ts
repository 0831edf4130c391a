import type { KubeApi } from '../../../operator/kube/api.ts'
import { kinds, type KindName } from '../../../operator/kube/types.ts'

/** The same API but for some of its calls. */
export function changedApi (api: KubeApi, changes: Partial<KubeApi>): KubeApi {
  return {
    get: async (kind, namespace, name) => await api.get(kind, namespace, name),
    list: async (kind, query) => await api.list(kind, query),
    watch: (kind, query, handlers) => api.watch(kind, query, handlers),
    create: async (kind, object) => await api.create(kind, object),
    replace: async (kind, object) => await api.replace(kind, object),
    apply: async (kind, object, subresource) => await api.apply(kind, object, subresource),
    patch: async (kind, namespace, name, patch) => await api.patch(kind, namespace, name, patch),
    delete: async (kind, namespace, name, preconditions) => { await api.delete(kind, namespace, name, preconditions) },
    close: () => { api.close() },
    ...changes
  }
}

export interface LateWatch {
  readonly api: KubeApi
  /** What was held back is told, and everything after it at once. */
  release (): void
}

/** The same API, whose watches of one kind tell nothing until they are released. */
export function lateWatch (api: KubeApi, name: KindName): LateWatch {
  let held: (() => void)[] | undefined = []
  return {
    api: changedApi(api, {
      watch: (kind, query, handlers) => kind !== kinds[name]
        ? api.watch(kind, query, handlers)
        : api.watch(kind, query, {
          ...handlers,
          event: event => {
            if (held === undefined) handlers.event(event)
            else held.push(() => { handlers.event(event) })
          }
        })
    }),
    release: () => {
      const told = held ?? []
      held = undefined
      for (const tell of told) tell()
    }
  }
}
