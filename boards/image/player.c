// Plays raw sound (48 kHz, one channel, S32_LE) for ever: player PCM FILE. It is the music of the image's test, where no card is.
#include <alsa/asoundlib.h>
#include <stdio.h>

int main(int count, char **arguments) {
  if (count != 3) return 2;
  FILE *music = fopen(arguments[2], "rb");
  snd_pcm_t *pcm = NULL;
  if (!music || snd_pcm_open(&pcm, arguments[1], SND_PCM_STREAM_PLAYBACK, 0) < 0) return 1;
  // Converted to whatever the one who listens has chosen; half a second of buffer.
  if (snd_pcm_set_params(pcm, SND_PCM_FORMAT_S32_LE, SND_PCM_ACCESS_RW_INTERLEAVED, 1, 48000, 1, 500000) < 0) return 1;
  static int samples[4800];
  for (;;) {
    size_t read = fread(samples, sizeof *samples, 4800, music);
    if (read == 0) {
      rewind(music);
      continue;
    }
    snd_pcm_sframes_t written = snd_pcm_writei(pcm, samples, read);
    if (written < 0 && snd_pcm_recover(pcm, (int)written, 1) < 0) return 1;
  }
}
