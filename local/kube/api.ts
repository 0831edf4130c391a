// The in-process face of the embedded Kubernetes API: what the local controllers (pods as processes,
// services) and tests call. Plain HTTP clients, kubectl first, get the same store at `url`.
export type * from './contract.ts'
export { ApiError } from './status.ts'
/** Starts the server; resolves when it accepts connections. Rejects with a one-line Error. */
export { startKubeApi } from './server.ts'
