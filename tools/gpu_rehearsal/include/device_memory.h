// The stand-in's device memory: a region that the host can touch only while a copy or a kernel is under way, so that code
// which reads what lies on the device without a copy crashes here as it would with a GPU.
#pragma once
#include <functional>

extern "C" {
void rehearsal_open();
void rehearsal_close();
void rehearsal_say(const char* what);
void rehearsal_enqueue(const std::function<void()>& work);  // done at once, or kept where a graph is being captured
}

namespace rehearsal {

struct DeviceMemoryOpen {
  DeviceMemoryOpen() { rehearsal_open(); }
  ~DeviceMemoryOpen() { rehearsal_close(); }
};

}  // namespace rehearsal
