import type { ReviewSummary, ReviewVerdict } from '@sallyport/api'
import { Command, Option } from 'commander'
import { reasonFor } from '../ask-reason.ts'
import { contextOf, withGatewayOptions, withOutputOption } from '../command-context.ts'
import { ago } from '../humane.ts'
import { listText, thingText, type Column } from '../output.ts'
import { principalText } from '../principal-text.ts'
import { reviewPicture } from '../review-picture.ts'
import type { GlobalOptions } from '../settings.ts'
import { print, tell, type World } from '../world.ts'
import { count } from './sessions.ts'

const VERDICTS = ['justified', 'unjustified'] as const

interface ListOptions extends GlobalOptions {
  readonly state?: ReviewSummary['state']
  readonly target?: string
  readonly session?: string
  readonly mine?: boolean
  readonly limit: number
}

interface CloseOptions extends GlobalOptions {
  readonly verdict: ReviewVerdict
  readonly note?: string
  readonly alarms?: number
}

export function reviewsCommand(world: World): Command {
  const reviews = new Command('reviews').description(
    'what was done under policies with an alarm, to be looked at afterwards',
  )

  const list = new Command('list')
    .description('the newest alarm first; your own, and those that you may review')
    .addOption(new Option('--state <state>', 'only those in this state').choices(['open', ...VERDICTS]))
    .option('--mine', 'only open ones that you may close')
    .option('--target <name>', 'only those on this target')
    .option('--session <id>', 'only those of this session')
    .option('--limit <count>', 'most reviews to list', count, 50)
    .action((options: ListOptions) => listReviews(world, options))

  const show = new Command('show')
    .description('what was done, by whom, for what purpose, and what people think of it')
    .argument('<review>', 'its id')
    .action((id: string, options: GlobalOptions) => showReview(world, id, options))

  const close = new Command('close')
    .description('say what you think of it; exit code 9 when somebody was faster, or there are more alarms')
    .argument('<review>', 'its id')
    .addOption(
      new Option('--verdict <verdict>', 'whether it should have been done')
        .choices([...VERDICTS])
        .makeOptionMandatory(),
    )
    .option('--note <text>', 'what you looked at; asked for at a terminal')
    .option(
      '--alarms <count>',
      'how many alarms you have looked at; left out: as many as there are now',
      count,
    )
    .action((id: string, options: CloseOptions) => closeReview(world, id, options))

  for (const command of [list, show, close]) reviews.addCommand(withOutputOption(withGatewayOptions(command)))
  return reviews
}

async function listReviews(world: World, options: ListOptions): Promise<void> {
  const { api, format } = await contextOf(world, options)
  const { state, target, session, mine, limit } = options
  const { reviews } = await api.reviews.list({ state, target, session, mine, limit })
  if (reviews.length === 0 && format === 'table') return tell(world, 'no reviews')
  await print(world, listText(reviews, columnsAt(Date.now()), format))
}

async function showReview(world: World, id: string, options: GlobalOptions): Promise<void> {
  const { api, format } = await contextOf(world, options)
  const review = await api.reviews.get(id)
  await print(world, thingText(review, reviewPicture(review, Date.now()), format))
}

async function closeReview(world: World, id: string, options: CloseOptions): Promise<void> {
  const { api, format } = await contextOf(world, options)
  const { verdict } = options
  const looked = await api.reviews.get(id)
  // Whoever is asked for a note is shown what it is about.
  if (options.note === undefined && world.stdin.isTTY === true) {
    tell(world, reviewPicture(looked, Date.now()))
  }
  const note = await reasonFor(world, options.note, `${verdict}, because:`, '--note')
  const alarms = options.alarms ?? looked.alarms
  const review = await api.reviews.close(id, { verdict, note, alarms, surface: 'cli' })
  tell(world, `${review.id} ${review.state}`)
  if (format !== 'table') await print(world, thingText(review, '', format))
}

function columnsAt(now: number): Column<ReviewSummary>[] {
  return [
    { heading: 'REVIEW', show: (one) => one.id },
    { heading: 'STATE', show: (one) => one.state },
    { heading: 'WHO', show: (one) => principalText(one.principal) },
    { heading: 'TARGET', show: (one) => one.target },
    { heading: 'ALARMS', show: (one) => String(one.alarms), align: 'right' },
    { heading: 'LAST', show: (one) => ago(Date.parse(one.lastAt), now) },
    { heading: 'FOR YOU', show: (one) => (one.yours ? '●' : '') },
    { heading: 'POLICY', show: (one) => one.policy },
    { heading: 'PURPOSE', show: (one) => one.purpose ?? '' },
  ]
}
