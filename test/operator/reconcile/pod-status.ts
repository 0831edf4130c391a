/** What a kubelet says of a pod whose containers run. */
export function readyStatus (isReady: boolean): object {
  return { phase: 'Running', conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] }
}
