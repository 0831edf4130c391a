// x-kubernetes-validations: rules compiled when a CRD is loaded, run on every write.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
import { Environment, Optional } from '@marcbachmann/cel-js'
import type { ASTNode } from '@marcbachmann/cel-js'
import type { Json, KubeObject } from '../object.ts'
import { equal, getOwn, isObject } from '../object.ts'
import { forbiddenField, invalidValue, notSupported, required, shown } from '../status.ts'
import type { FieldError, FieldErrorReason } from '../status.ts'
import { registerLibrary } from './cel-library.ts'
import { CelTypes } from './cel-types.ts'
import type { CelType } from './cel-types.ts'
import { child, index } from './schema.ts'
import type { Schema, ValidationRule } from './schema.ts'
import { correlated } from './validate.ts'

type Evaluate = (context: Record<string, unknown>) => unknown

interface CompiledRule {
  readonly rule: ValidationRule
  readonly evaluate: Evaluate
  readonly message: Evaluate | undefined
  readonly usesOldSelf: boolean
}

const reasons: readonly string[] =
  ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired']

/** The rules of a schema and, along its tree, of what is inside. */
export interface CelRules {
  readonly schema: Schema
  readonly type: CelType
  readonly rules: readonly CompiledRule[]
  readonly properties: ReadonlyMap<string, CelRules>
  readonly values: CelRules | undefined
  readonly items: CelRules | undefined
}

function mentions (node: unknown, name: string): boolean {
  if (Array.isArray(node)) return node.some(item => mentions(item, name))
  if (typeof node !== 'object' || node === null || !('op' in node)) return false
  const { op, args } = node as ASTNode
  return op === 'id' ? args === name : mentions(args, name)
}

/** First line of a library error: the rest is a picture of the place. */
function firstLine (error: unknown): string {
  return (error as Error).message.split('\n', 1)[0] ?? ''
}

class Compiler {
  readonly errors: FieldError[] = []
  readonly #env: Environment
  readonly #types: CelTypes

  constructor () {
    this.#env = new Environment({ unlistedVariablesAreDyn: false, enableOptionalTypes: true })
    registerLibrary(this.#env)
    this.#types = new CelTypes(this.#env)
  }

  /** Types first: an environment that has been cloned takes no more of them. */
  declare (schema: Schema): void {
    this.#types.of(schema, true)
    this.#declareInside(schema)
  }

  #declareInside (schema: Schema): void {
    this.#types.of(schema)
    for (const property of Object.values(schema.properties ?? {})) this.#declareInside(property)
    if (typeof schema.additionalProperties === 'object') this.#declareInside(schema.additionalProperties)
    if (schema.items !== undefined) this.#declareInside(schema.items)
  }

  /** Undefined when neither the schema nor anything inside has a rule. `isCorrelated`: oldSelf exists. */
  compile (schema: Schema, path: string, isCorrelated: boolean): CelRules | undefined {
    const rules: CompiledRule[] = []
    schema['x-kubernetes-validations']?.forEach((rule, at) => {
      const compiled = this.#rule(rule, schema, index(child(path, 'x-kubernetes-validations'), at), isCorrelated)
      if (compiled !== undefined) rules.push(compiled)
    })
    const properties = new Map<string, CelRules>()
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const inside = this.compile(property, `${path}.properties[${name}]`,
        isCorrelated && schema['x-kubernetes-map-type'] !== 'atomic')
      if (inside !== undefined) properties.set(name, inside)
    }
    const values = typeof schema.additionalProperties === 'object'
      ? this.compile(schema.additionalProperties, child(path, 'additionalProperties'), isCorrelated)
      : undefined
    const items = schema.items === undefined
      ? undefined
      : this.compile(schema.items, child(path, 'items'),
        isCorrelated && schema['x-kubernetes-list-type'] === 'map')
    if (rules.length === 0 && properties.size === 0 && values === undefined && items === undefined) {
      return undefined
    }
    return { schema, type: this.#types.of(schema), rules, properties, values, items }
  }

  #rule (rule: ValidationRule, schema: Schema, path: string, isCorrelated: boolean): CompiledRule | undefined {
    if (typeof rule.rule !== 'string' || rule.rule.trim() === '') {
      this.errors.push(required(child(path, 'rule'), 'rule is not specified'))
      return undefined
    }
    const self = this.#types.of(schema)
    const env = this.#env.clone().registerVariable('self', self.name).registerVariable('oldSelf',
      rule.optionalOldSelf === true ? `optional<${self.name}>` : self.name)
    const evaluate = this.#expression(env, rule.rule, 'bool', child(path, 'rule'))
    if (evaluate === undefined) return undefined
    const message = rule.messageExpression === undefined
      ? undefined
      : this.#expression(env, rule.messageExpression, 'string', child(path, 'messageExpression'))
    if (evaluate.usesOldSelf && !isCorrelated) {
      this.errors.push(invalidValue(child(path, 'rule'), rule.rule, 'oldSelf cannot be used on the ' +
        'uncorrelatable portion of the schema within ' +
        path.replace(/\.x-kubernetes-validations.*$/, '').replace(/\.items$/, '')))
    }
    if (rule.optionalOldSelf !== undefined && !evaluate.usesOldSelf) {
      this.errors.push(invalidValue(child(path, 'optionalOldSelf'), rule.optionalOldSelf,
        'may not be set if oldSelf is not used in rule'))
    }
    if (rule.fieldPath !== undefined && fieldAt(schema, rule.fieldPath) === undefined) {
      this.errors.push(invalidValue(child(path, 'fieldPath'), rule.fieldPath,
        'must be a valid path'))
    }
    if (rule.message !== undefined && /\n/.test(rule.message.trim())) {
      this.errors.push(invalidValue(child(path, 'message'), rule.message,
        'must not contain line breaks'))
    }
    if (rule.reason !== undefined && !reasons.includes(rule.reason)) {
      this.errors.push(notSupported(child(path, 'reason'), rule.reason, reasons))
    }
    return {
      rule, evaluate: evaluate.run, message: message?.run, usesOldSelf: evaluate.usesOldSelf
    }
  }

  #expression (env: Environment, text: string, wanted: string, path: string):
  { run: Evaluate, usesOldSelf: boolean } | undefined {
    try {
      const checked = env.check(text)
      if (!checked.valid) throw checked.error ?? new Error('invalid expression')
      if (checked.type !== wanted && checked.type !== 'dyn') {
        this.errors.push(invalidValue(path, text, wanted === 'bool'
          ? 'cel expression must evaluate to a bool'
          : 'messageExpression must evaluate to a string'))
        return undefined
      }
      const parsed = env.parse(text)
      return { run: context => parsed(context) as unknown, usesOldSelf: mentions(parsed.ast, 'oldSelf') }
    } catch (error) {
      this.errors.push(invalidValue(path, text, `compilation failed: ${firstLine(error)}`))
      return undefined
    }
  }
}

/** The steps of `.spec.a['b']`; undefined when it leads to no declared field. */
function fieldAt (schema: Schema, path: string): string[] | undefined {
  const steps: string[] = []
  let at: Schema | undefined = schema
  const pattern = /\.([A-Za-z_$][\w$]*)|\['((?:[^'\\]|\\.)*)'\]/gy
  let end = 0
  for (let match = pattern.exec(path); match !== null; match = pattern.exec(path)) {
    const name: string = match[1] ?? (match[2] ?? '').replaceAll(/\\(.)/g, '$1')
    const next: Schema | undefined = at?.properties === undefined
      ? (typeof at?.additionalProperties === 'object' ? at.additionalProperties : undefined)
      : getOwn(at.properties, name) as Schema | undefined
    if (next === undefined) return undefined
    steps.push(at?.properties === undefined ? `[${name}]` : `.${name}`)
    at = next
    end = pattern.lastIndex
  }
  return end === path.length && steps.length > 0 ? steps : undefined
}

/** Rules of the root of a custom resource; `path` is where the schema stands in the CRD. */
export function compileRules (schema: Schema, path: string):
{ rules: CelRules | undefined, errors: FieldError[] } {
  if (!hasRules(schema)) return { rules: undefined, errors: [] }
  const compiler = new Compiler()
  compiler.declare(schema)
  const rules = compiler.compile(schema, path, true)
  return { rules, errors: compiler.errors }
}

function hasRules (schema: Schema): boolean {
  return schema['x-kubernetes-validations'] !== undefined ||
    Object.values(schema.properties ?? {}).some(hasRules) ||
    (typeof schema.additionalProperties === 'object' && hasRules(schema.additionalProperties)) ||
    (schema.items !== undefined && hasRules(schema.items))
}

/** What the rules say against an object; `old` for updates. */
export function celErrors (rules: CelRules, object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const errors: FieldError[] = []
  run(rules, object as unknown as Json, old as unknown as Json | undefined, '', errors)
  return errors
}

function run (node: CelRules, value: Json, old: Json | undefined, path: string, errors: FieldError[]): void {
  if (value === null) return
  if (node.rules.length > 0) runRules(node, value, old, path, errors)
  if (isObject(value)) {
    const before = isObject(old) ? old : {}
    for (const [name, item] of Object.entries(value)) {
      const inside = node.properties.get(name) ?? node.values
      if (inside === undefined) continue
      const field = node.properties.has(name) ? child(path, name) : index(path, name)
      run(inside, item, getOwn(before, name) as Json | undefined, field, errors)
    }
  } else if (Array.isArray(value) && node.items !== undefined) {
    const { items } = node
    value.forEach((item, at) => {
      run(items, item, correlated(node.schema, item, old), index(path, at), errors)
    })
  }
}

function runRules (node: CelRules, value: Json, old: Json | undefined, path: string, errors: FieldError[]): void {
  const self = node.type.convert(value)
  const oldSelf = old === undefined || old === null ? undefined : node.type.convert(old)
  const isSame = old !== undefined && equal(value, old)
  for (const compiled of node.rules) {
    const { rule } = compiled
    if (isSame && !compiled.usesOldSelf) continue
    const isOptional = rule.optionalOldSelf === true
    if (compiled.usesOldSelf && oldSelf === undefined && !isOptional) continue
    const context = {
      self,
      oldSelf: isOptional ? (oldSelf === undefined ? Optional.none() : Optional.of(oldSelf)) : oldSelf
    }
    const named = (rule.message ?? rule.rule).trim()
    try {
      if (compiled.evaluate(context) === true) continue
    } catch (error) {
      errors.push(invalidValue(path, node.schema.type ?? '', `${firstLine(error)} evaluating rule: ${named}`))
      continue
    }
    const steps = rule.fieldPath === undefined ? [] : fieldAt(node.schema, rule.fieldPath) ?? []
    errors.push(failure(steps.join('').replace(/^\./, path === '' ? '' : `${path}.`) || path, value,
      messageOf(compiled, context), rule.reason, node.schema))
  }
}

function messageOf (compiled: CompiledRule, context: Record<string, unknown>): string {
  const { rule, message } = compiled
  if (message !== undefined) {
    try {
      const text = message(context)
      if (typeof text === 'string' && text.trim() !== '' && !text.includes('\n')) return text.trim()
    } catch {
      // As on a real server: a message that cannot be computed gives way to the fixed one.
    }
  }
  return rule.message === undefined ? `failed rule: ${rule.rule.trim()}` : rule.message.trim()
}

function failure (field: string, value: Json, detail: string, reason: FieldErrorReason | undefined,
  schema: Schema): FieldError {
  const isContainer = schema.type === 'object' || schema.type === 'array'
  const withValue = (text: string): string => isContainer ? text : `${text}: ${shown(value)}`
  switch (reason) {
    case 'FieldValueForbidden': return forbiddenField(field || '<nil>', detail)
    case 'FieldValueRequired': return required(field || '<nil>', detail)
    case 'FieldValueDuplicate':
      return { reason, field: field || '<nil>', message: withValue('Duplicate value') }
    default:
      return {
        reason: 'FieldValueInvalid',
        field: field || '<nil>',
        message: `${withValue('Invalid value')}: ${detail}`
      }
  }
}
