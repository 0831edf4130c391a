// Pods, StatefulSets, Deployments and ReplicaSets.
import type { KubeObject } from '../object.ts'
import { clone, equal } from '../object.ts'
import type { Strategy } from '../registry/resource.ts'
import { selectorMatches } from '../registry/selectors.ts'
import { forbiddenField, invalidValue, notSupported, required } from '../status.ts'
import type { FieldError } from '../status.ts'
import { at, count, fill, list, make, text } from './fields.ts'
import type { Dict } from './fields.ts'
import { podDefaults, podSpecDefaults, podSpecErrors, templateErrors } from './pod-spec.ts'
import { claimSpecDefaults, claimSpecErrors } from './volumes.ts'

function nonNegative (parent: Dict, name: string, path: string): FieldError[] {
  const value = parent[name]
  return typeof value === 'number' && value < 0
    ? [invalidValue(`${path}.${name}`, value, 'must be greater than or equal to 0')]
    : []
}

/** Selector there, not empty, and matching the template's labels. */
function selectorErrors (spec: Dict, kind: string): FieldError[] {
  if (spec.selector === undefined) return [required('spec.selector')]
  const selector = at(spec, 'selector')
  const isEmpty = Object.keys(at(selector, 'matchLabels')).length + list(selector.matchExpressions).length === 0
  if (isEmpty) return [invalidValue('spec.selector', selector, `empty selector is invalid for ${kind}`)]
  const labels = at(spec, 'template', 'metadata', 'labels') as Record<string, string>
  return selectorMatches(selector, labels)
    ? []
    : [invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`')]
}

function alwaysRestarts (spec: Dict): FieldError[] {
  const policy = at(spec, 'template', 'spec').restartPolicy
  return policy === 'Always' ? [] : [notSupported('spec.template.spec.restartPolicy', policy, ['Always'])]
}

function statefulSetDefaults (set: KubeObject): void {
  const spec = make(set, 'spec')
  fill(spec, 'replicas', 1)
  fill(spec, 'revisionHistoryLimit', 10)
  fill(spec, 'podManagementPolicy', 'OrderedReady')
  const strategy = make(spec, 'updateStrategy')
  fill(strategy, 'type', 'RollingUpdate')
  if (strategy.type === 'RollingUpdate') fill(make(strategy, 'rollingUpdate'), 'partition', 0)
  const retention = make(spec, 'persistentVolumeClaimRetentionPolicy')
  fill(retention, 'whenDeleted', 'Retain')
  fill(retention, 'whenScaled', 'Retain')
  podSpecDefaults(make(make(spec, 'template'), 'spec'))
  for (const template of list(spec.volumeClaimTemplates)) {
    fill(template, 'apiVersion', 'v1')
    fill(template, 'kind', 'PersistentVolumeClaim')
    claimSpecDefaults(make(template, 'spec'))
    fill(make(template, 'status'), 'phase', 'Pending')
  }
}

function statefulSetErrors (set: KubeObject): FieldError[] {
  const spec = at(set, 'spec')
  const templates = list(spec.volumeClaimTemplates)
  const errors = [
    ...selectorErrors(spec, 'statefulset'),
    ...nonNegative(spec, 'replicas', 'spec'),
    ...nonNegative(spec, 'minReadySeconds', 'spec'),
    ...templateErrors(at(spec, 'template'), 'spec.template', templates.map(one => text(at(one, 'metadata').name))),
    ...alwaysRestarts(spec),
    ...templates.flatMap((one, index) => claimSpecErrors(at(one, 'spec'), `spec.volumeClaimTemplates[${index}].spec`))
  ]
  const management = spec.podManagementPolicy
  if (management !== 'OrderedReady' && management !== 'Parallel') {
    errors.push(invalidValue('spec.podManagementPolicy', management, "must be 'OrderedReady' or 'Parallel'"))
  }
  const strategy = at(spec, 'updateStrategy')
  if (strategy.type === 'OnDelete' && strategy.rollingUpdate !== undefined) {
    errors.push(invalidValue('spec.updateStrategy.rollingUpdate', strategy.rollingUpdate,
      "only allowed for updateStrategy 'RollingUpdate'"))
  } else if (strategy.type !== 'OnDelete' && strategy.type !== 'RollingUpdate') {
    errors.push(invalidValue('spec.updateStrategy', strategy, "must be 'RollingUpdate' or 'OnDelete'"))
  }
  const retention = at(spec, 'persistentVolumeClaimRetentionPolicy')
  for (const name of ['whenDeleted', 'whenScaled']) {
    if (retention[name] !== 'Retain' && retention[name] !== 'Delete') {
      const field = `spec.persistentVolumeClaimRetentionPolicy.${name}`
      errors.push(notSupported(field, retention[name], ['Retain', 'Delete']))
    }
  }
  return errors
}

const statefulSetMutable = ['replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy', 'minReadySeconds']

function statefulSetUpdateErrors (set: KubeObject, old: KubeObject): FieldError[] {
  const fixed = (object: KubeObject): Dict => Object.fromEntries(Object.entries(at(object, 'spec'))
    .filter(([name]) => !statefulSetMutable.includes(name)))
  const errors = equal(fixed(set), fixed(old))
    ? []
    : [forbiddenField('spec', "updates to statefulset spec for fields other than 'replicas', 'ordinals', " +
        "'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and " +
        "'minReadySeconds' are forbidden")]
  const status = at(set, 'status')
  for (const name of ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas']) {
    if (count(status[name]) > count(status.replicas)) {
      errors.push(invalidValue(`status.${name}`, status[name], 'cannot be greater than status.replicas'))
    }
  }
  return errors
}

export const statefulSetStrategy: Strategy = {
  defaults: statefulSetDefaults,
  prepareCreate (set) { set.status = { replicas: 0, availableReplicas: 0 } },
  validate: statefulSetErrors,
  validateUpdate: statefulSetUpdateErrors
}

function deploymentDefaults (deployment: KubeObject): void {
  const spec = make(deployment, 'spec')
  fill(spec, 'replicas', 1)
  fill(spec, 'revisionHistoryLimit', 10)
  fill(spec, 'progressDeadlineSeconds', 600)
  const strategy = make(spec, 'strategy')
  fill(strategy, 'type', 'RollingUpdate')
  if (strategy.type === 'RollingUpdate') {
    const rolling = make(strategy, 'rollingUpdate')
    fill(rolling, 'maxUnavailable', '25%')
    fill(rolling, 'maxSurge', '25%')
  }
  podSpecDefaults(make(make(spec, 'template'), 'spec'))
}

function replicatedErrors (kind: string): (object: KubeObject) => FieldError[] {
  return object => {
    const spec = at(object, 'spec')
    return [
      ...selectorErrors(spec, kind),
      ...nonNegative(spec, 'replicas', 'spec'),
      ...templateErrors(at(spec, 'template'), 'spec.template'),
      ...alwaysRestarts(spec)
    ]
  }
}

function selectorIsFixed (object: KubeObject, old: KubeObject): FieldError[] {
  const selector = at(object, 'spec').selector
  return equal(selector, at(old, 'spec').selector)
    ? []
    : [invalidValue('spec.selector', selector, 'field is immutable')]
}

export const deploymentStrategy: Strategy = {
  defaults: deploymentDefaults,
  prepareCreate (deployment) { deployment.status = {} },
  validate: replicatedErrors('deployment'),
  validateUpdate: selectorIsFixed
}

export const replicaSetStrategy: Strategy = {
  defaults (set) {
    const spec = make(set, 'spec')
    fill(spec, 'replicas', 1)
    podSpecDefaults(make(make(spec, 'template'), 'spec'))
  },
  prepareCreate (set) { set.status = { replicas: 0 } },
  validate: replicatedErrors('replicaset'),
  validateUpdate: selectorIsFixed
}

const podMutable = 'spec.containers[*].image,spec.initContainers[*].image,spec.activeDeadlineSeconds,' +
  'spec.tolerations (only additions to existing tolerations),spec.terminationGracePeriodSeconds (allow it ' +
  'to be set to 1 if it was previously negative)'

function podUpdateErrors (pod: KubeObject, old: KubeObject): FieldError[] {
  const fixed = (object: KubeObject): Dict => {
    const spec = clone(at(object, 'spec'))
    for (const container of [...list(spec.containers), ...list(spec.initContainers)]) delete container.image
    for (const name of ['activeDeadlineSeconds', 'tolerations', 'terminationGracePeriodSeconds', 'schedulingGates']) {
      delete spec[name]
    }
    // A pod is bound to its node once.
    if (text(at(old, 'spec').nodeName) === '') delete spec.nodeName
    return spec
  }
  return equal(fixed(pod), fixed(old))
    ? []
    : [forbiddenField('spec', `pod updates may not change fields other than ${podMutable}`)]
}

/** Guaranteed, Burstable or BestEffort, by the containers' requests and limits. */
function qosClass (spec: Dict): string {
  const containers = [...list(spec.containers), ...list(spec.initContainers)]
  const resources = containers.map(one => at(one, 'resources'))
  const isUnset = resources.every(one =>
    Object.keys({ ...at(one, 'requests'), ...at(one, 'limits') }).length === 0)
  if (isUnset) return 'BestEffort'
  const isGuaranteed = resources.every(one => ['cpu', 'memory'].every(name =>
    at(one, 'limits')[name] !== undefined && at(one, 'limits')[name] === at(one, 'requests')[name]))
  return isGuaranteed ? 'Guaranteed' : 'Burstable'
}

export const podStrategy: Strategy = {
  defaults (pod) { podDefaults(make(pod, 'spec')) },
  prepareCreate (pod) {
    const spec = at(pod, 'spec')
    fill(spec, 'serviceAccountName', 'default')
    pod.status = { phase: 'Pending', qosClass: qosClass(spec) }
  },
  validate: pod => podSpecErrors(at(pod, 'spec'), 'spec'),
  validateUpdate: podUpdateErrors,
  /** A pod that runs nowhere, or no longer, needs no time to stop. */
  gracePeriodSeconds (pod) {
    const spec = at(pod, 'spec')
    const phase = at(pod, 'status').phase
    if (text(spec.nodeName) === '' || phase === 'Succeeded' || phase === 'Failed') return 0
    return typeof spec.terminationGracePeriodSeconds === 'number' ? spec.terminationGracePeriodSeconds : 30
  }
}
