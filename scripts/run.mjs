// `npm run <name>` of a program in TypeScript: sets the project up if needed, then runs the file on Node 24.
import { run } from './setup.mjs'

const [file, ...args] = process.argv.slice(2)
await run(file, args)
