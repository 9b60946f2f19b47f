/*
 * Simulated hardware for the chaos run: loaded before a real `harmonynet`, it stands between the program and the libraries and
 * the kernel, and breaks on command. What the program runs is its own: alsa-lib is real, and so are the program's own drivers.
 *
 *   microphone   alsa-lib's `null` PCM gets a clock, music, and the error numbers of a sound card that breaks
 *   display      /dev/i2c-1 is a bus with one display that acknowledges whatever it is sent, until it is unplugged
 *   wall clock   CLOCK_REALTIME is as far off as it is told to be; time that only goes forward is left alone
 *
 * Not for timing: a frame that is late here was late because this machine is busy.
 * The switches are a file of 64-bit numbers that both sides share (hardware.rs has the other side of this table).
 */
#define _GNU_SOURCE
#include <alsa/asoundlib.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MICROPHONE, DISPLAY, CLOCK_OFFSET_S, TRANSACTIONS, RANDOM, SWITCHES };
enum { HEALTHY, UNPLUGGED, BUSY, STALLED, OVERRUN, SUSPENDED, BROKEN, NOISE, SPINNING };
enum { THERE, NO_ANSWER, NO_BUS };

#define RATE_HZ 48000
#define PERIOD 960
/* Far more than a real buffer holds: sound is lost when the program was stopped, not when this machine is busy. */
#define BUFFER (2 * RATE_HZ)
#define I2C "/dev/i2c-1"

static volatile int64_t *switches;
static const int16_t *music;
static size_t music_frames;

static void *shared(const char *variable, size_t *bytes, int writable)
{
    const char *path = getenv(variable);
    int file = path ? (int)syscall(SYS_openat, AT_FDCWD, path, writable ? O_RDWR : O_RDONLY) : -1;
    if (file < 0)
        return NULL;
    *bytes = (size_t)lseek(file, 0, SEEK_END);
    void *memory = mmap(NULL, *bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, file, 0);
    close(file);
    return memory == MAP_FAILED ? NULL : memory;
}

__attribute__((constructor)) static void open_switches(void)
{
    size_t bytes = 0;
    switches = shared("CHAOS_SWITCHES", &bytes, 1);
    music = shared("CHAOS_MUSIC", &bytes, 0);
    music_frames = bytes / sizeof *music;
}

static int64_t asked(int what)
{
    return switches ? switches[what] : 0;
}

/* A mishap that happens once and is over. */
static int happens(int64_t mishap)
{
    if (asked(MICROPHONE) != mishap)
        return 0;
    switches[MICROPHONE] = HEALTHY;
    return 1;
}

static void *original(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* --- the wall clock ------------------------------------------------------------------------------------------------ */

int clock_gettime(clockid_t clock, struct timespec *at)
{
    int answer = (int)syscall(SYS_clock_gettime, clock, at);
    if (answer == 0 && clock == CLOCK_REALTIME)
        at->tv_sec += asked(CLOCK_OFFSET_S);
    return answer;
}

static int64_t micros(void)
{
    struct timespec at;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

/* --- the microphone ------------------------------------------------------------------------------------------------ */

static int64_t started, delivered;
static uint64_t played;

static int64_t due(void)
{
    int64_t frames = (micros() - started) * RATE_HZ / 1000000 - delivered;
    return frames < 0 ? 0 : frames;
}

static void begin(void)
{
    started = micros();
    delivered = 0;
}

int snd_pcm_open(snd_pcm_t **pcm, const char *name, snd_pcm_stream_t stream, int mode)
{
    int (*open_pcm)(snd_pcm_t **, const char *, snd_pcm_stream_t, int) = original("snd_pcm_open");
    if (asked(MICROPHONE) == UNPLUGGED)
        return -ENODEV;
    if (asked(MICROPHONE) == BUSY)
        return -EBUSY;
    return open_pcm(pcm, name, stream, mode);
}

int snd_pcm_prepare(snd_pcm_t *pcm)
{
    int (*prepare)(snd_pcm_t *) = original("snd_pcm_prepare");
    begin();
    return asked(MICROPHONE) == UNPLUGGED ? -ENODEV : prepare(pcm);
}

int snd_pcm_start(snd_pcm_t *pcm)
{
    int (*start)(snd_pcm_t *) = original("snd_pcm_start");
    begin();
    return asked(MICROPHONE) == UNPLUGGED ? -ENODEV : start(pcm);
}

int snd_pcm_resume(snd_pcm_t *pcm)
{
    (void)pcm;
    return -ENOSYS; /* like most sound cards: it is to be prepared anew */
}

/* What a sound card that is ill answers; 0 from one that is well. */
static int illness(void)
{
    switch (asked(MICROPHONE)) {
    case UNPLUGGED:
    case BUSY:
        return -ENODEV;
    case BROKEN:
        return -EIO;
    }
    if (happens(OVERRUN))
        return -EPIPE;
    if (happens(SUSPENDED))
        return -ESTRPIPE;
    if (asked(MICROPHONE) != STALLED && due() > BUFFER)
        return -EPIPE;
    return 0;
}

snd_pcm_sframes_t snd_pcm_avail_update(snd_pcm_t *pcm)
{
    snd_pcm_sframes_t (*avail_update)(snd_pcm_t *) = original("snd_pcm_avail_update");
    int ill = illness();
    if (ill)
        return ill;
    snd_pcm_sframes_t most = avail_update(pcm);
    if (most < 0)
        return most;
    if (asked(MICROPHONE) == STALLED)
        return 0;
    int64_t frames = due();
    return frames < most ? (snd_pcm_sframes_t)frames : most;
}

/* Like poll(2), it looks before it gives up: who was stopped finds what has come meanwhile. */
int snd_pcm_wait(snd_pcm_t *pcm, int millis)
{
    (void)pcm;
    for (int64_t end = micros() + (int64_t)millis * 1000;;) {
        int64_t now = micros();
        int ill = illness();
        if (ill)
            return ill;
        /* A driver that says there is sound where there is none. */
        if (asked(MICROPHONE) == SPINNING)
            return 1;
        if (asked(MICROPHONE) != STALLED && due() >= PERIOD)
            return 1;
        if (now >= end)
            return 0;
        usleep(2000);
    }
}

/* Plays into the buffer what a microphone would have heard: 16 bits at the top of 32, the same in each channel. */
int snd_pcm_mmap_begin(snd_pcm_t *pcm, const snd_pcm_channel_area_t **areas, snd_pcm_uframes_t *offset,
                       snd_pcm_uframes_t *frames)
{
    int (*mmap_begin)(snd_pcm_t *, const snd_pcm_channel_area_t **, snd_pcm_uframes_t *, snd_pcm_uframes_t *) =
        original("snd_pcm_mmap_begin");
    int answer = asked(MICROPHONE) == UNPLUGGED ? -ENODEV : mmap_begin(pcm, areas, offset, frames);
    if (answer < 0 || !music_frames)
        return answer;
    size_t step = (*areas)->step / 8;
    char *at = (char *)(*areas)->addr + (*areas)->first / 8 + *offset * step;
    for (snd_pcm_uframes_t frame = 0; frame < *frames; frame++) {
        uint32_t value = (uint32_t)(uint16_t)music[(played + frame) % music_frames] << 16;
        if (asked(MICROPHONE) == NOISE) {
            switches[RANDOM] = switches[RANDOM] * 6364136223846793005 + 1442695040888963407;
            value = (uint32_t)((uint64_t)switches[RANDOM] >> 32);
        }
        for (size_t place = 0; place + sizeof value <= step; place += sizeof value)
            memcpy(at + frame * step + place, &value, sizeof value);
    }
    return answer;
}

snd_pcm_sframes_t snd_pcm_mmap_commit(snd_pcm_t *pcm, snd_pcm_uframes_t offset, snd_pcm_uframes_t frames)
{
    snd_pcm_sframes_t (*mmap_commit)(snd_pcm_t *, snd_pcm_uframes_t, snd_pcm_uframes_t) =
        original("snd_pcm_mmap_commit");
    snd_pcm_sframes_t taken = mmap_commit(pcm, offset, frames);
    if (taken > 0) {
        delivered += taken;
        played += (uint64_t)taken;
    }
    return taken;
}

/* --- the display --------------------------------------------------------------------------------------------------- */

static int bus = -1;

static int open_bus(int (*open_file)(const char *, int, ...), const char *path, int flags, mode_t mode)
{
    if (strcmp(path, I2C) != 0)
        return open_file(path, flags, mode);
    if (asked(DISPLAY) == NO_BUS) {
        errno = ENOENT;
        return -1;
    }
    return bus = open_file("/dev/null", flags, mode);
}

#define OPEN(name)                                                                          \
    int name(const char *path, int flags, ...)                                              \
    {                                                                                       \
        va_list rest;                                                                       \
        va_start(rest, flags);                                                              \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;             \
        va_end(rest);                                                                       \
        return open_bus((int (*)(const char *, int, ...))original(#name), path, flags, mode); \
    }

OPEN(open)
OPEN(open64)

/* Requests to an I2C bus begin with 7 (linux/i2c-dev.h). */
int ioctl(int file, unsigned long request, ...)
{
    int (*control)(int, unsigned long, ...) = original("ioctl");
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (file != bus || request >> 8 != 7)
        return control(file, request, argument);
    if (asked(DISPLAY) != THERE) {
        errno = asked(DISPLAY) == NO_BUS ? ENODEV : EREMOTEIO;
        return -1;
    }
    switches[TRANSACTIONS]++;
    return 0;
}
