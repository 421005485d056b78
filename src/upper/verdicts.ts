/**
 * Which of the outstanding SENDs a run of answers refused, where one refusal may take two lines.
 *
 * Servers answer in order; some answer one refused SEND with two `-OK` lines. So the number refused
 * is what was outstanding minus the `+OK` lines, and their places follow where the runs allow it.
 */

export type Verdict = 'answered' | 'refused' | 'unclear';

/**
 * @param outstanding how many SENDs were awaiting an answer
 * @param answers true for `+OK`, false for `-OK`, in order, complete
 * @returns one verdict for each SEND, in order; those without any answer are unclear
 */
export function attribute(outstanding: number, answers: readonly boolean[]): Verdict[] {
  const verdicts = new Array<Verdict>(outstanding).fill('unclear');
  const accepted = answers.filter((ok) => ok).length;
  const refused = outstanding - accepted;
  const lines = answers.length - accepted;
  if (refused === 0) return verdicts.fill('answered');
  if (accepted === 0 && lines >= outstanding) return verdicts.fill('refused');
  if (lines === refused) return answers.map((ok) => (ok ? 'answered' : 'refused'));
  if (lines === 2 * refused && inPairs(answers)) {
    let at = 0;
    for (let i = 0; i < outstanding; i++) {
      verdicts[i] = answers[at] === true ? 'answered' : 'refused';
      at += answers[at] === true ? 1 : 2;
    }
    return verdicts;
  }
  // What stands before the first refusal, and after the last, is certain whatever lies between.
  if (lines >= refused && lines <= 2 * refused) {
    for (let i = 0; answers[i] === true; i++) verdicts[i] = 'answered';
    for (let i = 1; answers[answers.length - i] === true; i++) {
      verdicts[outstanding - i] = 'answered';
    }
  }
  return verdicts;
}

function inPairs(answers: readonly boolean[]): boolean {
  for (let i = 0; i < answers.length; i++) {
    if (answers[i] === true) continue;
    if (answers[i + 1] !== false) return false;
    i++;
  }
  return true;
}
