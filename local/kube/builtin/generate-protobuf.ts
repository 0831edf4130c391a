// Reads the numbers of protobuf fields from the struct tags of Kubernetes' Go types. What a field
// holds is told by schema.json; the tags add its number, and whether a zero means "not set".
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** `Name string `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"``; embedded structs have no name. */
const field = /^\s+(?:(\w+)\s+)?([\w.*[\]]+)\s+`json:"([^"]*)"[^`]*? protobuf:"\w+,(\d+),[^"]*"/
const start = /^type (\w+) struct \{/

function packageFile (definition: string, api: string, apimachinery: string): string {
  const parts = definition.split('.').slice(0, -1)
  return definition.startsWith('io.k8s.apimachinery.')
    ? join(apimachinery, ...parts.slice(3), 'types.go').replace('/apimachinery/pkg', '/pkg')
    : join(api, ...parts.slice(3), 'types.go')
}

function parseFile (path: string, prefix: string): Map<string, string[]> {
  const structs = new Map<string, string[]>()
  let fields: string[] | undefined
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const name = start.exec(line)?.[1]
    if (name !== undefined) structs.set(`${prefix}.${name}`, fields = [])
    if (line === '}') fields = undefined
    const match = field.exec(line)
    if (match === null || fields === undefined) continue
    const [, , type = '', json = '', number = ''] = match
    const jsonName = json.split(',', 1)[0] ?? ''
    const isInline = jsonName === ''
    fields.push(isInline
      ? `${number} >${prefix}.${type.replace('*', '')}`
      : `${number} ${type.startsWith('*') ? '*' : ''}${jsonName}`)
  }
  return structs
}

/**
 * Definition → its fields as `<number> <name>`, `<number> *<name>` for pointers (a zero counts) and
 * `<number> ><definition>` for structs whose fields JSON has in place.
 */
export function protobufFields (definitions: readonly string[], api: string,
  apimachinery: string): Record<string, string[]> {
  const files = new Map<string, Map<string, string[]>>()
  const result: Record<string, string[]> = {}
  const add = (name: string): void => {
    const path = packageFile(name, api, apimachinery)
    if (name in result || !existsSync(path)) return
    const prefix = name.split('.').slice(0, -1).join('.')
    if (!files.has(path)) files.set(path, parseFile(path, prefix))
    const fields = files.get(path)?.get(name)
    if (fields === undefined || fields.length === 0) return
    result[name] = fields
    for (const one of fields) {
      const inline = one.split('>')[1]
      if (inline !== undefined) add(inline)
    }
  }
  for (const name of definitions) add(name)
  return result
}
