// What the examples write and read.
export interface Order {
  /** Chosen by who orders: the same order sent twice has it twice. */
  readonly id: string
  readonly customer: string
  readonly item: string
  readonly cents: number
}

/** @throws TypeError for anything else. */
export function orderOf (value: unknown): Order {
  const { id, customer, item, cents } = (value ?? {}) as Record<string, unknown>
  if (typeof id !== 'string' || typeof customer !== 'string' || typeof item !== 'string' ||
    typeof cents !== 'number' || !Number.isSafeInteger(cents)) {
    throw new TypeError('an order has id, customer and item, which are text, and cents, an integer')
  }
  return { id, customer, item, cents }
}
