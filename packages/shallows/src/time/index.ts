export { addTimes, compareTimes, scaleTime, subtractTimes } from './arithmetic.js';
export { against, hasCome, type Moment, shareOf } from './moment.js';
export { formatTime, parseTime, type Time, type Timeline, type TimeUnit, timeProblem, timeToBatches } from './time.js';
