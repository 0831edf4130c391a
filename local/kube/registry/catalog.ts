// Which resources are served right now. Built-in ones for good, custom ones while their definition
// is there.
import type { ResourceType } from './resource.ts'

export class Catalog {
  readonly #types = new Map<string, ResourceType>()
  /** Counts changes; discovery and OpenAPI documents are made anew when it moves. */
  generation = 0

  static #key (group: string, version: string, plural: string): string {
    return `${group}/${version}/${plural}`
  }

  add (type: ResourceType): void {
    this.#types.set(Catalog.#key(type.group, type.version, type.plural), type)
    this.generation++
  }

  /** Takes away every version of a resource. */
  remove (group: string, plural: string): void {
    for (const [key, type] of this.#types) {
      if (type.group === group && type.plural === plural) this.#types.delete(key)
    }
    this.generation++
  }

  find (group: string, version: string, plural: string): ResourceType | undefined {
    return this.#types.get(Catalog.#key(group, version, plural))
  }

  /** By `plural` or `plural.group`, in the preferred version. */
  named (name: string): ResourceType | undefined {
    const dot = name.indexOf('.')
    const plural = dot < 0 ? name : name.slice(0, dot)
    const group = dot < 0 ? '' : name.slice(dot + 1)
    return this.all().find(type => type.group === group && type.plural === plural && type.preferred)
  }

  /** By kind, as owner references name things; any version of the group will do. */
  ofKind (group: string, kind: string): ResourceType | undefined {
    return this.all().find(type => type.group === group && type.kind === kind)
  }

  /** The preferred version of each resource that keeps objects of its own. */
  stored (): ResourceType[] {
    return this.all().filter(type => type.preferred && type.table === tableOf(type))
  }

  all (): ResourceType[] {
    return [...this.#types.values()]
  }
}

export function tableOf (type: { group: string, plural: string }): string {
  return type.group === '' ? type.plural : `${type.plural}.${type.group}`
}
