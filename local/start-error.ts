/** What keeps a cluster from starting, in one line for a person. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
