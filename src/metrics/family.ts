/** How families of metrics are put together. */
import type { Family, Sample } from './text.js';

export type Labels = Readonly<Record<string, string>>;
export const sample = (labels: Labels, value: number): Sample => ({ labels, value });
export const flag = (labels: Labels, on: boolean): Sample => sample(labels, on ? 1 : 0);

export const counter = (name: string, help: string, samples: readonly Sample[]): Family => ({
  name: `tidegate_${name}`,
  type: 'counter',
  help,
  samples,
});
export const gauge = (name: string, help: string, samples: readonly Sample[]): Family => ({
  ...counter(name, help, samples),
  type: 'gauge',
});
export const inUnit = (family: Family, unit: 'seconds' | 'bytes'): Family => ({ ...family, unit });
export const time = (name: string, help: string, samples: readonly Sample[]): Family =>
  inUnit(gauge(`${name}_timestamp_seconds`, `${help}, seconds since 1970`, samples), 'seconds');
