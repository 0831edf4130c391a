// What an alert must fire on, or must not, as series for `promtool test rules`: one value a minute, in promtool's
// notation ('0x9' is ten zeros, '0+5x9' counts by five, '_' is a scrape without the series).

export interface Case {
  readonly alert: string
  readonly what: string
  readonly series: Readonly<Record<string, string>>
  /** Minutes at which it must not fire yet, or not at all. */
  readonly quietAt: readonly number[]
  /** Minute at which it fires, with the labels that a person needs. */
  readonly firesAt?: number
  readonly labels?: Readonly<Record<string, string>>
}
