/** `npm run format`: brings the sources into shape, as `npm run check` wants it. */
import { biome, step } from './steps.ts';

step('format', biome, ['check', '--write']);
