// One that stood still (its process was stopped, its node had no time for it) goes on where it was, and learns only at
// its next request that another leads: until then it sends nothing that changes anything. What it had sent before is
// safe beside another's writes; so this is no guarantee of one writer, which no Lease can give, but good manners.
import { WireError } from '../wire/errors.ts'
import type { UnaryMethod } from '../wire/ports.ts'
import type { Calls } from './admin-calls.ts'
import { KubeError, type KubeApi } from './kube/api.ts'

const reason = 'the Lease was not renewed in time: another operator may lead'

/** What the operator asks of controllers without wanting anything changed. */
const questions: ReadonlySet<UnaryMethod> = new Set(['DescribeCluster', 'PlanBrokers'])

/** Reads pass; writes are refused with `NotLeading` while `isStale`. */
export function apiWhileLeading (api: KubeApi, isStale: () => boolean): KubeApi {
  const guarded = <A extends unknown[], R>(write: (...args: A) => Promise<R>) => async (...args: A): Promise<R> => {
    if (isStale()) throw new KubeError(0, 'NotLeading', reason)
    return await write(...args)
  }
  return {
    get: async (...args) => await api.get(...args),
    list: async (...args) => await api.list(...args),
    watch: (...args) => api.watch(...args),
    create: guarded(async (...args) => await api.create(...args)),
    replace: guarded(async (...args) => await api.replace(...args)),
    apply: guarded(async (...args) => await api.apply(...args)),
    patch: guarded(async (...args) => await api.patch(...args)),
    delete: guarded(async (...args) => { await api.delete(...args) }),
    close: () => { api.close() }
  }
}

/** Questions pass; orders are refused with `CANCELLED` while `isStale`. */
export function callsWhileLeading (calls: Calls, isStale: () => boolean): Calls {
  return {
    call: async (address, method, request, timeoutMs, cluster) => {
      if (isStale() && !questions.has(method)) throw new WireError('CANCELLED', reason)
      return await calls.call(address, method, request, timeoutMs, cluster)
    },
    forget: address => { calls.forget(address) }
  }
}
