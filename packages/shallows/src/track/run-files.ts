/** Names of the files in a run folder. */
export const runFiles = Object.freeze({
  record: 'run.json',
  journal: 'journal.jsonl',
  model: 'model.safetensors',
  report: 'report.html',
  evaluation: 'evaluation.json',
  checkpoints: 'checkpoints',
  lock: 'writer.lock',
});
