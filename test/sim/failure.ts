// A run that went wrong: which promise was broken, and what shows it.

export class SimFailure extends Error {
  override readonly name = 'SimFailure'
  /** The invariant, the checker's class of anomaly, or 'uncaught error', 'liveness' ... */
  readonly kind: string

  constructor (kind: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }

  static from (kind: string, who: string, error: unknown): SimFailure {
    const text = error instanceof Error ? error.stack ?? error.message : String(error)
    return new SimFailure(kind, `in ${who}: ${text}`, { cause: error })
  }
}
