// A Cluster of one broker with one Topic, and the claim by which it gets a volume back.
import { diskClass } from './nodes.ts'

/** As docs/operations/delete.md says. */
export const claimOfNotes = (volume: string): string => `---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data-notes-0
  labels: {app.kubernetes.io/name: millrace, app.kubernetes.io/component: broker, millrace.dev/cluster: notes}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ${diskClass}
  volumeName: ${volume}
  resources: {requests: {storage: 1Gi}}
`

export const clusterOfNotes = (annotations: object): string => `---
apiVersion: millrace.dev/v1alpha1
kind: Cluster
metadata: {name: notes, annotations: ${JSON.stringify(annotations)}}
spec:
  brokers: 1
  storage: {size: 1Gi, className: ${diskClass}}
  topicDefaults: {partitions: 1, replicas: 1, minInSync: 1}
---
apiVersion: millrace.dev/v1alpha1
kind: Topic
metadata: {name: notes}
spec: {cluster: notes}
`
