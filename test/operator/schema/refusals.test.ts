// The embedded API server refuses what a real one refuses.
import { startKubeApi, type Writable } from '../../../local/kube/api.ts'
import { customResourceDefinition } from '../../../operator/schema/crd.ts'
import { resources } from '../../../operator/schema/resources.ts'
import { refusals } from './refusals.ts'

refusals(async () => {
  const kube = await startKubeApi()
  for (const resource of resources) {
    await kube.create('customresourcedefinitions.apiextensions.k8s.io', customResourceDefinition(resource) as Writable)
  }
  return kube
})
