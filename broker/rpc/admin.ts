// The admin service of the peer port: the controller answers, everybody else says where it is.
import { WireError } from '../../wire/errors.ts'
import type { Services } from '../../wire/ports.ts'
import type { ControllerOffice } from '../controller/contract.ts'
import type { ClusterView } from '../session/contract.ts'

/** A broker's agent: `office` is set while the broker is the controller. */
export interface AdminEndpoint {
  readonly office: ControllerOffice | undefined
  readonly view: ClusterView
}

export function adminServices (endpoint: AdminEndpoint): Services {
  /** Runs `ask` with the office; a WireError becomes the answer's error field. */
  async function answer<R> (ask: (office: ControllerOffice) => Promise<R>): Promise<R | Refusal> {
    const { office, view } = endpoint
    try {
      if (office === undefined) {
        throw new WireError('NOT_CONTROLLER', undefined, { controllerAddress: view.controllerAddress })
      }
      return await ask(office)
    } catch (error) {
      if (error instanceof WireError) return { error: error.toDetail() }
      throw error
    }
  }
  return {
    unary: {
      ApplyTopic: request => answer(office => office.applyTopic(request)),
      DeleteTopic: request => answer(office => office.deleteTopic(request)),
      DescribeCluster: request => answer(office => office.describeCluster(request))
    }
  }
}

interface Refusal {
  readonly error: ReturnType<WireError['toDetail']>
}
