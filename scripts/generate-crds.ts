// Writes crds/*.yaml from operator/schema/, and the chart's copies: a chart can only read files of its own folder.
// `node scripts/generate-crds.ts` writes; with --check it fails when a file is not current.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Document, visit } from 'yaml'
import { customResourceDefinition, group } from '../operator/schema/crd.ts'
import { resources } from '../operator/schema/resources.ts'

const root = join(import.meta.dirname, '..')
const folders = ['crds', 'charts/millrace/files/crds']
const check = process.argv.includes('--check')
/**
 * Client-side `kubectl apply` keeps the whole object in an annotation, and all annotations together may have 256 KiB:
 * an eighth of that leaves room for whoever else writes there, and helm keeps each release with all definitions in a
 * Secret of 1 MiB at most. A definition that is larger holds something that is not millrace's, such as a PodSpec.
 */
const crdBytesMax = 32_768
/** Of JSON, without the indentation. */
const flowSizeMax = 240
const problems: string[] = []

const wanted = new Map(resources.map(resource => [
  `${group}_${resource.plural}.yaml`,
  '# Written by scripts/generate-crds.ts from operator/schema; do not edit.\n' +
    textOf(customResourceDefinition(resource))
]))

/** YAML with one line for what fits into one: `{ type: string, maxLength: 63 }`. */
function textOf (definition: object): string {
  const document = new Document(definition, { aliasDuplicateObjects: false })
  visit(document, {
    Collection: (_key, node) => {
      const size = node.items.length === 0 ? Infinity : JSON.stringify(node.toJSON()).length
      if (size > flowSizeMax) return undefined
      node.flow = true
      return visit.SKIP
    }
  })
  return document.toString({ lineWidth: 0 })
}

for (const [name, text] of wanted) {
  if (Buffer.byteLength(text) > crdBytesMax) problems.push(`${name}: larger than ${crdBytesMax} bytes`)
}
for (const folder of folders) {
  for (const [name, text] of wanted) {
    const path = join(root, folder, name)
    if (!check) writeFileSync(path, text)
    else if (!existsSync(path) || readFileSync(path, 'utf8') !== text) problems.push(`${folder}/${name} is not current`)
  }
  for (const name of readdirSync(join(root, folder))) {
    if (name.endsWith('.yaml') && !wanted.has(name)) problems.push(`${folder}/${name} belongs to no resource`)
  }
}
if (problems.length > 0) {
  console.error([...problems, 'run node scripts/generate-crds.ts'].join('\n'))
  process.exit(1)
}
