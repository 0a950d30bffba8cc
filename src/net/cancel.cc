#include "net/cancel.h"

#include <sys/eventfd.h>
#include <unistd.h>

namespace tophand::net {

CancelFlag::CancelFlag() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

CancelFlag::~CancelFlag() {
  if (fd_ >= 0) close(fd_);
}

void CancelFlag::cancel() {
  fired_.store(true, std::memory_order_release);
  if (fd_ >= 0) eventfd_write(fd_, 1);  // never read, so that it stays readable
}

}  // namespace tophand::net
