// The embedded API server passes the suite that a real one passes.
import type { KubeApi } from '../../../local/kube/api.ts'
import { startKubeApi } from '../../../local/kube/api.ts'
import { kubeConformance } from './conformance.ts'

let api: KubeApi | undefined

kubeConformance('the embedded API', async () => {
  api = await startKubeApi({})
  return { url: api.url }
}, async () => {
  await api?.close()
})
