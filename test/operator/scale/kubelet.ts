// What a kubelet says of a broker's pod that runs, with all that a real one says beside.

const startedAt = '2026-01-01T00:00:00Z'
const conditions = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled']
const digest = '7d8c1f0e2b3a495867768594a3b2c1d0e0f1a2b3c4d5e6f708192a3b4c5d6e7f'

export function readyStatus (ordinal: number): object {
  return {
    phase: 'Running',
    qosClass: 'BestEffort',
    startTime: startedAt,
    hostIP: `10.0.0.${ordinal + 1}`,
    hostIPs: [{ ip: `10.0.0.${ordinal + 1}` }],
    podIP: `10.244.0.${ordinal + 1}`,
    podIPs: [{ ip: `10.244.0.${ordinal + 1}` }],
    conditions: conditions.map(type => ({ type, status: 'True', lastProbeTime: null, lastTransitionTime: startedAt })),
    containerStatuses: [{
      name: 'broker',
      image: 'millrace:0.1.0',
      imageID: `registry.example/millrace@sha256:${digest}`,
      containerID: `containerd://${digest}`,
      ready: true,
      started: true,
      restartCount: 0,
      state: { running: { startedAt } },
      lastState: {}
    }]
  }
}
