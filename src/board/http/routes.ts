/** Which path is answered with what. */
import { isCoarse, RANGES, type Range } from '../../page/words.js';
import type {
  BoardView,
  HistoryReader,
  Resolution,
  SensorState,
  Series,
} from '../../sensor/view.js';
import type { LinkCounters } from '../link/server.js';
import type { HttpCounters } from './counters.js';
import { Exports } from './export.js';
import { Kept, Shelf } from './kept.js';
import type { HttpLimits } from './limits.js';
import { METRICS_TYPE, renderMetrics } from './metrics.js';
import { DEFAULT_EVENTS, DEFAULT_POINTS, describeApi } from './openapi.js';
import type { Pages } from '../pages/pages.js';
import { Problem } from './problem.js';
import { Questions } from './questions.js';
import type { Exchange, Replies } from './reply.js';
import { shapeAlarms, shapeEvent, shapeSensor, shapeSensors, shapeStatus } from './shapes.js';
import { Streams } from './streams.js';
import { Query } from './target.js';

export interface Board {
  readonly view: BoardView;
  readonly history: HistoryReader;
  readonly pages: Pages;
  readonly link: { readonly counters: Readonly<LinkCounters> };
}

const DAY = 86_400_000;
/** A range that ends now is rounded up to these ms, so that all who ask have the same question. */
const ROUND = 10_000;
/** What ended longer ago changes little. */
const SETTLED = 60_000;
const PAGE_POINTS = 288;
const RESOLUTIONS: readonly Resolution[] = ['raw', 'hour', 'day'];
const FOREVER = 'public, max-age=31536000, immutable';
const ROBOTS = 'User-agent: *\nDisallow: /api/\nDisallow: /metrics\n';
/** Of a sensor as view.ts has it; nothing in it is ever encoded. */
const SENSOR_PAGE = /^\/sensors\/([A-Za-z0-9._~-]{1,128})$/;
const SENSOR_API = /^\/api\/v1\/sensors\/([A-Za-z0-9._~-]{1,128})(\/series|\/readings\.csv)?$/;

export class Routes {
  readonly streams: Streams;
  readonly #board: Board;
  readonly #limits: HttpLimits;
  readonly #replies: Replies;
  readonly #counters: HttpCounters;
  readonly #shelf: Shelf;
  readonly #questions: Questions;
  readonly #exports: Exports;
  readonly #assets: ReadonlyMap<string, Kept>;
  readonly #favicon: Kept | undefined;
  readonly #robots = new Kept('text/plain; charset=utf-8', ROBOTS);
  readonly #description: Kept;

  constructor(board: Board, limits: HttpLimits, replies: Replies, counters: HttpCounters) {
    this.#board = board;
    this.#limits = limits;
    this.#replies = replies;
    this.#counters = counters;
    this.#shelf = new Shelf(limits.keptAnswers, limits.keptBytes);
    this.#questions = new Questions(
      limits.questions,
      limits.questionsPerAddress,
      limits.questionPatience,
    );
    this.#exports = new Exports(board.history, limits, this.#questions, replies, counters);
    this.streams = new Streams(board.view, limits, replies, counters);
    this.#assets = new Map(
      [...board.pages.assets].map(([path, { type, bytes }]) => [path, new Kept(type, bytes)]),
    );
    const icon = [...this.#assets.keys()].find((path) => /^\/assets\/favicon[^/]*$/.test(path));
    this.#favicon = icon === undefined ? undefined : this.#assets.get(icon);
    this.#description = Kept.json(describeApi(limits));
  }

  /** @throws Problem */
  async answer(exchange: Exchange): Promise<void> {
    const { path } = exchange;
    if (exchange.api) {
      await this.#answerApi(exchange);
      return;
    }
    const asset = this.#assets.get(path);
    if (asset) {
      await this.#replies.kept(exchange, asset, FOREVER);
      return;
    }
    const [, id] = SENSOR_PAGE.exec(path) ?? [];
    if (id !== undefined) {
      const sensor = this.#sensor(id);
      const asked = new URLSearchParams(exchange.search).get('range');
      const range = RANGES.find((each) => each.id === asked);
      const key = `${path} ${range?.id ?? ''}`;
      await this.#refreshed(exchange, key, () => this.#renderSensor(exchange, sensor, range));
      return;
    }
    const { view, history, pages, link } = this.#board;
    switch (path) {
      case '/':
        await this.#refreshed(exchange, path, () => Kept.page(pages.index(view, Date.now())));
        return;
      case '/metrics':
        await this.#refreshed(
          exchange,
          path,
          () =>
            new Kept(
              METRICS_TYPE,
              renderMetrics(view, history.counters, this.#counters, link.counters),
            ),
        );
        return;
      case '/healthz':
        // To be asked anew: what is kept would say so of a dead board too.
        await this.#replies.kept(exchange, new Kept('text/plain', 'ok\n'), 'no-store');
        return;
      case '/robots.txt':
        await this.#replies.kept(exchange, this.#robots, 'public, max-age=86400');
        return;
      case '/favicon.ico':
        if (this.#favicon)
          await this.#replies.kept(exchange, this.#favicon, 'public, max-age=86400');
        else this.#replies.empty(exchange, { 'Cache-Control': 'public, max-age=86400' });
        return;
      default:
        throw new Problem('not_found', 'there is nothing here: begin at /');
    }
  }

  async #answerApi(exchange: Exchange): Promise<void> {
    const { path, search } = exchange;
    const { view, history } = this.#board;
    const [, id, part] = SENSOR_API.exec(path) ?? [];
    if (id !== undefined) {
      const sensor = this.#sensor(id);
      if (part === '/series') await this.#answerSeries(exchange, sensor);
      else if (part === '/readings.csv') await this.#answerExport(exchange, sensor);
      else {
        new Query(search, []);
        await this.#refreshed(exchange, path, () => Kept.json(shapeSensor(sensor)));
      }
      return;
    }
    if (path === '/api/v1/events') {
      await this.#answerEvents(exchange);
      return;
    }
    if (path === '/api/v1/stream') {
      const last = exchange.req.headers['last-event-id'];
      const since = new Query(search, ['since']).text('since');
      this.streams.open(exchange, typeof last === 'string' && last !== '' ? last : since);
      return;
    }
    const make = {
      '/api/v1/sensors': () => {
        const shown = shapeSensors(view, Date.now());
        return Kept.json(shown, { ...shown, time: null });
      },
      '/api/v1/alarms': () => Kept.json(shapeAlarms(view.alarms())),
      '/api/v1/status': () => Kept.json(shapeStatus(view, history.counters, Date.now())),
      '/api/v1/openapi.json': () => this.#description,
    }[path];
    if (!make) throw new Problem('not_found', 'there is nothing here: see /api/v1/openapi.json');
    new Query(search, []);
    await this.#refreshed(exchange, path, make);
  }

  #sensor(id: string): SensorState {
    const sensor = this.#board.view.sensor(id);
    if (sensor) return sensor;
    throw new Problem('no_such_sensor', 'there is no such sensor: see /api/v1/sensors');
  }

  /** What is made at most once a second, whoever asks. */
  async #refreshed(
    exchange: Exchange,
    key: string,
    make: () => Kept | Promise<Kept>,
  ): Promise<void> {
    const kept = await this.#shelf.get(key, this.#limits.refresh, make);
    await this.#replies.kept(exchange, kept, 'public, max-age=1');
  }

  /** The page is of use without its series too. */
  async #renderSensor(
    { network }: Exchange,
    sensor: SensorState,
    range: Range | undefined,
  ): Promise<Kept> {
    const { view, history, pages } = this.#board;
    const now = Date.now();
    const to = roundUp(now);
    const span = range?.span ?? DAY;
    const ask = (resolution?: Resolution): Promise<Series> =>
      this.#questions.ask(network, () =>
        history.series(sensor.id, to - span, to, PAGE_POINTS, resolution),
      );
    const series = await ask(span <= DAY ? 'raw' : undefined)
      .then((found) => (isCoarse(found) ? ask('raw') : found))
      .catch(() => undefined);
    return Kept.page(pages.sensor(view, sensor, series, now, range));
  }

  async #answerSeries(exchange: Exchange, sensor: SensorState): Promise<void> {
    const query = new Query(exchange.search, ['from', 'to', 'points', 'resolution']);
    const { from, to } = rangeOf(query);
    const most = this.#limits.points;
    const points = query.integer('points', 1, most, Math.min(DEFAULT_POINTS, most));
    const resolution = query.choice('resolution', RESOLUTIONS);
    const life = to > Date.now() - SETTLED ? ROUND : SETTLED;
    const key = `series ${sensor.id} ${from} ${to} ${points} ${resolution ?? ''}`;
    const kept = await this.#shelf.get(key, life, async () => {
      const { history } = this.#board;
      const series = await this.#questions.ask(exchange.network, () =>
        history.series(sensor.id, from, to, points, resolution),
      );
      return Kept.json({
        sensor: series.sensor,
        resolution: series.resolution,
        points: series.points,
      });
    });
    await this.#replies.kept(exchange, kept, `public, max-age=${life / 1000}`);
  }

  async #answerExport(exchange: Exchange, sensor: SensorState): Promise<void> {
    const query = new Query(exchange.search, ['from', 'to', 'limit']);
    const { from, to } = rangeOf(query);
    const { rows } = this.#limits;
    await this.#exports.send(exchange, sensor, from, to, query.integer('limit', 1, rows, rows));
  }

  async #answerEvents(exchange: Exchange): Promise<void> {
    const query = new Query(exchange.search, ['since', 'limit']);
    const since = query.integer('since', 0, Number.MAX_SAFE_INTEGER, 0);
    const most = this.#limits.events;
    const limit = query.integer('limit', 1, most, Math.min(DEFAULT_EVENTS, most));
    await this.#refreshed(exchange, `events ${since} ${limit}`, async () => {
      const { history } = this.#board;
      const page = await this.#questions.ask(exchange.network, () => history.events(since, limit));
      return Kept.json({
        events: page.events.map(shapeEvent),
        next: page.next,
        gap: page.gap,
      });
    });
  }
}

const roundUp = (time: number): number => Math.ceil(time / ROUND) * ROUND;

/** The day that ends now, where nothing is said. @throws Problem */
function rangeOf(query: Query): { from: number; to: number } {
  const given = query.time('from');
  const to = query.time('to') ?? Math.max(roundUp(Date.now()), given ?? 0);
  const from = given ?? Math.max(0, to - DAY);
  if (from > to)
    throw new Problem('bad_parameter', 'from is after to: give the earlier one as from');
  return { from, to };
}
