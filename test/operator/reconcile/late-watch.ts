import type { KubeApi } from '../../../operator/kube/api.ts'
import type { KindName } from '../../../operator/kube/types.ts'
import { kinds } from '../../../operator/kube/types.ts'

export interface LateWatch {
  readonly api: KubeApi
  /** What was held back is told, and everything after it at once. */
  release (): void
}

/** The same API, whose watches of one kind tell nothing until they are released. */
export function lateWatch (api: KubeApi, name: KindName): LateWatch {
  let held: (() => void)[] | undefined = []
  return {
    api: {
      get: async (kind, namespace, object) => await api.get(kind, namespace, object),
      list: async (kind, query) => await api.list(kind, query),
      watch: (kind, query, handlers) => kind !== kinds[name]
        ? api.watch(kind, query, handlers)
        : api.watch(kind, query, {
          ...handlers,
          event: event => {
            if (held === undefined) handlers.event(event)
            else held.push(() => { handlers.event(event) })
          }
        }),
      create: async (kind, object) => await api.create(kind, object),
      replace: async (kind, object) => await api.replace(kind, object),
      apply: async (kind, object, subresource) => await api.apply(kind, object, subresource),
      patch: async (kind, namespace, object, patch) => await api.patch(kind, namespace, object, patch),
      delete: async (kind, namespace, object, preconditions) => {
        await api.delete(kind, namespace, object, preconditions)
      },
      close: () => { api.close() }
    },
    release: () => {
      const told = held ?? []
      held = undefined
      for (const tell of told) tell()
    }
  }
}
