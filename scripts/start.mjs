// `npm start`: sets the project up if needed, then runs a cluster on this machine (local/start.ts).
import { run } from './setup.mjs'

await run('local/start.ts', process.argv.slice(2))
