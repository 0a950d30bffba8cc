/* Preloaded into a program under test: its wall clock is off by the milliseconds in the file CLOCK_OFFSET_FILE. The
   monotonic clock stays. Test equipment. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long offset_ns(void) {
  const char* path = getenv("CLOCK_OFFSET_FILE");
  char text[64] = {0};
  const int file = path ? open(path, O_RDONLY) : -1;
  if (file < 0) return 0;
  const ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  return size > 0 ? atoll(text) * 1000000LL : 0;
}

int clock_gettime(clockid_t id, struct timespec* at) {
  const int result = (int)syscall(SYS_clock_gettime, id, at);
  if (result != 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) return result;
  const long long ns = at->tv_sec * 1000000000LL + at->tv_nsec + offset_ns();
  at->tv_sec = ns / 1000000000LL;
  at->tv_nsec = ns % 1000000000LL;
  return 0;
}

time_t time(time_t* out) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  if (out) *out = at.tv_sec;
  return at.tv_sec;
}

int gettimeofday(struct timeval* at, void* zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}
