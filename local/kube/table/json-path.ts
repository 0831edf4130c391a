// The JSONPath of a CRD's printer columns and scale paths: `.spec.replicas`,
// `.status.conditions[?(@.type=="Ready")].status`, `.spec.names[0]`, `.metadata.labels.app\.name`,
// `.spec.ports[*].port`. https://kubernetes.io/docs/reference/kubectl/jsonpath/
import type { Json, JsonObject } from '../object.ts'
import { getOwn, isObject, setOwn } from '../object.ts'

type Step =
  | { readonly kind: 'field', readonly name: string }
  | { readonly kind: 'index', readonly at: number }
  | { readonly kind: 'all' }
  | {
    readonly kind: 'filter'
    readonly path: readonly string[]
    readonly operator: string
    readonly value: Json | undefined
  }

export type JsonPath = readonly Step[]

const field = /\.?((?:[^.[\]\\]|\\.)+)/y
/** `[0]`, `[*]`, `['a']`, `["a"]`, `[?(@.a == 'b')]` */
const bracket = new RegExp(String.raw`\[(?:(-?\d+)|(\*)|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|` +
  String.raw`\?\(\s*@((?:\.[\w-]+)+)\s*(?:(==|!=|<=|>=|<|>)\s*([^)]+?)\s*)?\))\]`, 'y')

function literal (text: string): Json {
  const quoted = /^(['"])(.*)\1$/.exec(text)
  if (quoted !== null) return (quoted[2] ?? '').replaceAll(/\\(.)/g, '$1')
  if (text === 'true' || text === 'false') return text === 'true'
  return Number.isNaN(Number(text)) ? text : Number(text)
}

function unescape (text: string): string {
  return text.replaceAll(/\\(.)/g, '$1')
}

/** Undefined when the text is no path, or one of a kind that is not supported. */
export function parseJsonPath (text: string): JsonPath | undefined {
  const source = text.replace(/^\{(.*)\}$/, '$1').replace(/^\$/, '')
  const steps: Step[] = []
  let at = 0
  while (at < source.length) {
    const pattern = source[at] === '[' ? bracket : field
    pattern.lastIndex = at
    const match = pattern.exec(source)
    if (match === null || match[0] === '') return undefined
    at = pattern.lastIndex
    if (pattern === field) {
      const name = unescape(match[1] ?? '')
      steps.push(name === '*' ? { kind: 'all' } : { kind: 'field', name })
    } else {
      steps.push(bracketStep(match))
    }
  }
  return steps
}

function bracketStep (match: RegExpExecArray): Step {
  const [, at, all, single, double, path, operator, value] = match
  if (at !== undefined) return { kind: 'index', at: Number(at) }
  if (all !== undefined) return { kind: 'all' }
  if (path === undefined) return { kind: 'field', name: unescape(single ?? double ?? '') }
  return {
    kind: 'filter',
    path: path.slice(1).split('.'),
    operator: operator ?? 'exists',
    value: value === undefined ? undefined : literal(value)
  }
}

function matches (item: Json, step: Step & { kind: 'filter' }): boolean {
  let held: Json | undefined = item
  for (const name of step.path) held = isObject(held) ? getOwn(held, name) as Json | undefined : undefined
  const { operator, value } = step
  if (operator === 'exists') return held !== undefined
  if (operator === '==') return held === value
  if (operator === '!=') return held !== value
  if (typeof held !== typeof value || held === null || held === undefined || value === undefined ||
      value === null) return false
  switch (operator) {
    case '<': return held < value
    case '<=': return held <= value
    case '>': return held > value
    default: return held >= value
  }
}

/** Every value that the path leads to. */
export function evaluateJsonPath (path: JsonPath, root: Json): Json[] {
  let values: Json[] = [root]
  for (const step of path) {
    values = values.flatMap((value): Json[] => {
      if (step.kind === 'field') {
        const held = isObject(value) ? getOwn(value, step.name) as Json | undefined : undefined
        return held === undefined ? [] : [held]
      }
      if (step.kind === 'all') return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []
      if (!Array.isArray(value)) return []
      if (step.kind === 'filter') return value.filter(item => matches(item, step))
      const item = value.at(step.at)
      return item === undefined ? [] : [item]
    })
  }
  return values
}

/** Sets the value at a path of plain fields, making the objects on the way. */
export function setAt (root: JsonObject, path: JsonPath, value: Json): void {
  let at = root
  path.forEach((step, depth) => {
    if (step.kind !== 'field') return
    if (depth === path.length - 1) {
      setOwn(at, step.name, value)
      return
    }
    const next = getOwn(at, step.name)
    if (isObject(next)) {
      at = next
    } else {
      const made: JsonObject = {}
      setOwn(at, step.name, made)
      at = made
    }
  })
}
