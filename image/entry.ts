// What the container runs: `broker`, `operator`, or any command of the CLI.
const part = process.argv[2]

if (part === 'broker') await import('../broker/main.ts')
else if (part === 'operator') await import('../operator/main.ts')
else await (await import('../cli/main.ts')).run(process.argv.slice(2))
