// Answers rows for a test: the model script, a portable model and rows come as files; the answers go to standard output.
const fs = require("fs");
const [, , script, file] = process.argv;
const { answer } = require(script);
const { model, rows } = JSON.parse(fs.readFileSync(file, "utf-8"));
process.stdout.write(JSON.stringify(rows.map((values) => answer(model, values))));
