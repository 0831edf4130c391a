// The admin service of the peer port: the controller answers, everybody else says where it is.
import { WireError } from '../../wire/errors.ts'
import type { Services } from '../../wire/ports.ts'
import type { ControllerOffice } from '../controller/contract.ts'
import type { ClusterView } from '../session/contract.ts'
import { answer } from './answer.ts'

/** A broker's agent: `office` is set while the broker is the controller. */
export interface AdminEndpoint {
  readonly office: ControllerOffice | undefined
  readonly view: ClusterView
}

export function adminServices (endpoint: AdminEndpoint): Services {
  const office = (): ControllerOffice => {
    if (endpoint.office !== undefined) return endpoint.office
    throw new WireError('NOT_CONTROLLER', undefined, { controllerAddress: endpoint.view.controllerAddress })
  }
  return {
    unary: {
      ApplyTopic: request => answer(() => office().applyTopic(request)),
      DeleteTopic: request => answer(() => office().deleteTopic(request)),
      DescribeCluster: request => answer(() => office().describeCluster(request)),
      MovePartitions: request => answer(() => office().moving.movePartitions(request)),
      ElectLeaders: request => answer(() => office().moving.electLeaders(request)),
      DrainBrokers: request => answer(() => office().moving.drainBrokers(request)),
      PlanBrokers: request => answer(() => office().moving.planBrokers(request)),
      MaintainBrokers: request => answer(() => office().moving.maintainBrokers(request)),
      RemoveBroker: request => answer(() => office().moving.removeBroker(request)),
      RecoverPartition: request => answer(() => office().repairs.recoverPartition(request)),
      RestoreTables: request => answer(() => office().repairs.restoreTables(request))
    }
  }
}
