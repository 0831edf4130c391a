// PersistentVolumeClaims, PersistentVolumes and StorageClasses.
import type { KubeObject } from '../object.ts'
import { equal } from '../object.ts'
import type { Strategy } from '../registry/resource.ts'
import { compareQuantities, parseQuantity } from '../schema/quantity.ts'
import { forbiddenField, notSupported, required } from '../status.ts'
import type { FieldError } from '../status.ts'
import { at, fill, make, text } from './fields.ts'
import type { Dict } from './fields.ts'

const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']

export function claimSpecDefaults (spec: Dict): void {
  fill(spec, 'volumeMode', 'Filesystem')
  fill(spec, 'resources', {})
}

function accessModeErrors (spec: Dict, path: string): FieldError[] {
  const modes = Array.isArray(spec.accessModes) ? spec.accessModes as unknown[] : []
  if (modes.length === 0) return [required(`${path}.accessModes`, 'at least 1 access mode is required')]
  return modes.filter(mode => !accessModes.includes(String(mode)))
    .map(mode => notSupported(`${path}.accessModes`, mode, accessModes))
}

export function claimSpecErrors (spec: Dict, path: string): FieldError[] {
  const errors = accessModeErrors(spec, path)
  const storage = at(spec, 'resources', 'requests').storage
  if (storage === undefined) {
    errors.push(required(`${path}.resources[storage]`))
  } else if ((parseQuantity(text(storage))?.nanos ?? 0n) <= 0n) {
    errors.push({
      reason: 'FieldValueInvalid',
      field: `${path}.resources[storage]`,
      message: `Invalid value: ${JSON.stringify(storage)}: must be greater than zero`
    })
  }
  return errors
}

function compare (left: unknown, right: unknown): number {
  const [a, b] = [parseQuantity(text(left)), parseQuantity(text(right))]
  return a === undefined || b === undefined ? 0 : compareQuantities(a, b)
}

/** Everything is fixed but the size of a bound claim, which may grow. */
function claimUpdateErrors (claim: KubeObject, old: KubeObject): FieldError[] {
  const isBound = at(claim, 'status').phase === 'Bound'
  const fixed = (object: KubeObject): Dict => {
    const spec = { ...at(object, 'spec') }
    delete spec.volumeAttributesClassName
    // The controller fills in the volume and the class once.
    if (at(old, 'spec').volumeName === undefined) delete spec.volumeName
    if (at(old, 'spec').storageClassName === undefined) delete spec.storageClassName
    if (isBound) spec.resources = { ...at(spec, 'resources'), requests: {} }
    return spec
  }
  const errors: FieldError[] = []
  if (!equal(fixed(claim), fixed(old))) {
    errors.push(forbiddenField('spec', 'spec is immutable after creation except resources.requests and ' +
      'volumeAttributesClassName for bound claims'))
  }
  const [size, before] = [claim, old].map(one => at(one, 'spec', 'resources', 'requests').storage)
  if (compare(size, before) < 0 && compare(size, at(old, 'status', 'capacity').storage) <= 0) {
    errors.push(forbiddenField('spec.resources.requests.storage', 'field can not be less than status.capacity'))
  }
  return errors
}

export const claimStrategy: Strategy = {
  defaults (claim) { claimSpecDefaults(make(claim, 'spec')) },
  prepareCreate (claim) { claim.status = { phase: 'Pending' } },
  validate: claim => claimSpecErrors(at(claim, 'spec'), 'spec'),
  validateUpdate: claimUpdateErrors
}

export const volumeStrategy: Strategy = {
  defaults (volume) {
    const spec = make(volume, 'spec')
    fill(spec, 'persistentVolumeReclaimPolicy', 'Retain')
    fill(spec, 'volumeMode', 'Filesystem')
  },
  prepareCreate (volume) { volume.status = { phase: 'Pending' } },
  validate (volume) {
    const spec = at(volume, 'spec')
    const errors = accessModeErrors(spec, 'spec')
    if (at(spec, 'capacity').storage === undefined) errors.push(required('spec.capacity'))
    return errors
  }
}

export const storageClassStrategy: Strategy = {
  defaults (storageClass) {
    fill(storageClass, 'reclaimPolicy', 'Delete')
    fill(storageClass, 'volumeBindingMode', 'Immediate')
  },
  validateUpdate (storageClass, old) {
    return ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode']
      .filter(name => !equal(storageClass[name], old[name]))
      .map(name => forbiddenField(name, `updates to ${name} are forbidden.`))
  }
}
