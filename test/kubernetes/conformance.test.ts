// The suite that the embedded API passes, on a real kube-apiserver: where the two differ, the embedded one is wrong.
import { kubeConformance } from '../local/kube/conformance.ts'
import { ControlPlane } from './control-plane.ts'

let plane: ControlPlane | undefined

kubeConformance('the real one', async () => {
  plane = await ControlPlane.start()
  return plane.admin
}, async () => {
  await plane?.stop()
})
