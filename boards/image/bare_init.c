// The smallest first program: says when it was started, in seconds since the kernel was.
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  printf("bare init at %ld.%03ld\n", (long)now.tv_sec, now.tv_nsec / 1000000);
  fflush(stdout);
  for (;;) pause();
}
