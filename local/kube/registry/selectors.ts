// Label selectors (`app=web,tier in (a,b),!canary`) and field selectors (`metadata.name=x`).
import type { KubeObject } from '../object.ts'
import { getOwn, isObject } from '../object.ts'
import { badRequest } from '../status.ts'
import { qualifiedNameErrors } from './metadata.ts'
import type { ResourceType } from './resource.ts'

export type Matcher = (object: KubeObject) => boolean

const everything: Matcher = () => true
const setPattern = /^\s*([^\s=!,()]+)\s+(in|notin)\s*\(([^()]*)\)\s*$/
const equalsPattern = /^\s*([^\s=!,()<>]+)\s*(==|=|!=|>|<)\s*([^\s=!,()<>]*)\s*$/
const existsPattern = /^\s*(!?)\s*([^\s=!,()<>]+)\s*$/

/** Splits at commas outside parentheses. */
function requirements (text: string): string[] {
  return text.split(/,(?![^(]*\))/)
}

function labelRequirement (text: string, whole: string): Matcher {
  const set = setPattern.exec(text)
  const equals = equalsPattern.exec(text)
  const exists = existsPattern.exec(text)
  const key = set?.[1] ?? equals?.[1] ?? exists?.[2]
  if (key === undefined || qualifiedNameErrors(key, 'key').length > 0) {
    throw badRequest(`unable to parse requirement: ${whole}`)
  }
  const label = (object: KubeObject): string | undefined =>
    getOwn(object.metadata.labels ?? {}, key) as string | undefined
  if (set !== null) {
    const values = new Set((set[3] ?? '').split(',').map(value => value.trim()))
    return set[2] === 'in'
      ? object => { const value = label(object); return value !== undefined && values.has(value) }
      : object => { const value = label(object); return value === undefined || !values.has(value) }
  }
  if (equals !== null) {
    const value = equals[3] ?? ''
    switch (equals[2]) {
      case '!=': return object => label(object) !== value
      case '>': return object => Number(label(object)) > Number(value)
      case '<': return object => Number(label(object)) < Number(value)
      default: return object => label(object) === value
    }
  }
  return exists?.[1] === '!'
    ? object => label(object) === undefined
    : object => label(object) !== undefined
}

/** Throws 400 when the text is no selector. */
export function labelMatcher (text: string | undefined): Matcher {
  if (text === undefined || text.trim() === '') return everything
  const all = requirements(text).map(part => labelRequirement(part, text))
  return object => all.every(matches => matches(object))
}

/** The text at `path`, `''` when absent: field selectors compare strings. */
function fieldText (object: KubeObject, path: string): string {
  let value: unknown = object
  for (const part of path.split('.')) value = isObject(value) ? getOwn(value, part) : undefined
  return value === undefined || value === null ? '' : String(value as string | number | boolean)
}

/** Throws 400 for what is no selector, or names a field that cannot be selected by. */
export function fieldMatcher (type: ResourceType, text: string | undefined): Matcher {
  if (text === undefined || text.trim() === '') return everything
  const all = text.split(',').filter(part => part.trim() !== '').map((part): Matcher => {
    const match = /^\s*([^=!\s]+)\s*(==|=|!=)\s*(.*?)\s*$/.exec(part)
    if (match === null) throw badRequest(`invalid selector: '${part}'; can't understand '${part}'`)
    const [, path = '', operator, value = ''] = match
    const known = path === 'metadata.name' || (path === 'metadata.namespace' && type.namespaced) ||
      type.selectableFields.includes(path)
    if (!known) {
      throw badRequest(`field label not supported: ${path}`)
    }
    return operator === '!='
      ? object => fieldText(object, path) !== value
      : object => fieldText(object, path) === value
  })
  return object => all.every(matches => matches(object))
}

/** The one name that a field selector asks for, so that lists of one object stay cheap. */
export function selectedName (text: string | undefined): string | undefined {
  return text === undefined ? undefined : /(?:^|,)\s*metadata\.name==?([^,=!]+)/.exec(text)?.[1]?.trim()
}

interface Expression {
  key: string
  operator: string
  values?: string[]
}

/** A metav1.LabelSelector against labels. */
export function selectorMatches (selector: { matchLabels?: unknown, matchExpressions?: unknown },
  labels: Readonly<Record<string, string>>): boolean {
  const wanted = isObject(selector.matchLabels) ? Object.entries(selector.matchLabels) : []
  const expressions = (Array.isArray(selector.matchExpressions) ? selector.matchExpressions : []) as Expression[]
  return wanted.every(([key, value]) => getOwn(labels, key) === value) &&
    expressions.every(({ key, operator, values = [] }) => {
      const value = getOwn(labels, key) as string | undefined
      switch (operator) {
        case 'In': return value !== undefined && values.includes(value)
        case 'NotIn': return value === undefined || !values.includes(value)
        case 'Exists': return value !== undefined
        case 'DoesNotExist': return value === undefined
        default: return false
      }
    })
}
