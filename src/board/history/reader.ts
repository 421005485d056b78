/** The thread of a board that answers what is asked of its history. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Answer, Question, ThreadData } from './orders.js';
import { Queries } from './queries.js';
import { isDamage, openToRead } from './schema.js';

const port = parentPort!;
const { directory, ms } = workerData as ThreadData;
let queries: Queries | undefined;

function carryOut(question: Question): unknown {
  queries ??= new Queries(openToRead(directory), ms);
  switch (question.kind) {
    case 'series': {
      const { sensor, from, to, most, resolution } = question;
      return queries.series(sensor, from, to, most, resolution);
    }
    case 'readings':
      return queries.readings(question.sensor, question.from, question.to, question.limit);
    case 'events':
      return queries.events(question.since, question.limit);
    case 'recent':
      return queries.recent();
  }
}

port.on('message', (question: Question | 'close') => {
  if (question === 'close') {
    queries?.close();
    port.close();
    return;
  }
  let answer: Answer;
  try {
    answer = { answer: carryOut(question) };
  } catch (error) {
    answer = { error: (error as Error).message, damage: isDamage(error) };
  }
  port.postMessage(answer);
});
