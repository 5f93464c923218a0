# Finds ONNX Runtime's C headers; a library of custom operators needs nothing else of it. In this order:
#   1. -DONNXRUNTIME_INCLUDE_DIR=<dir with onnxruntime_c_api.h>
#   2. an installed package (libonnxruntime-dev, or $ONNXRUNTIME_ROOT), or what another build folder of this checkout fetched
#   3. Debian's package, unpacked into the build folder by the machine's own apt configuration, without root
#   4. the official release archive
# The oldest headers serve best: a library built with API 21 runs in every ONNX Runtime from 1.21 on, and not conversely.
# Defines the target ort_headers.

option(SNN_FETCH_ORT_HEADERS "fetch ONNX Runtime's headers when they are not installed" ON)
set(SNN_ORT_VERSION 1.21.0 CACHE STRING "release whose headers are fetched")

if(ONNXRUNTIME_INCLUDE_DIR AND NOT EXISTS ${ONNXRUNTIME_INCLUDE_DIR}/onnxruntime_c_api.h)
  unset(ONNXRUNTIME_INCLUDE_DIR CACHE) # of an earlier run, in a folder that is gone
endif()
file(GLOB fetched ${CMAKE_BINARY_DIR}/_ort ${CMAKE_CURRENT_LIST_DIR}/../build/*/_ort)
find_path(ONNXRUNTIME_INCLUDE_DIR onnxruntime_c_api.h
          PATH_SUFFIXES include onnxruntime include/onnxruntime onnxruntime/core/session
          HINTS ENV ONNXRUNTIME_ROOT PATHS ${fetched})

if(NOT ONNXRUNTIME_INCLUDE_DIR AND SNN_FETCH_ORT_HEADERS)
  find_program(APT_GET apt-get)
  if(APT_GET)
    message(STATUS "ONNX Runtime headers: fetching the Debian package libonnxruntime-dev")
    execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/fetch-ort-headers.sh ${CMAKE_BINARY_DIR}/_ort
                    OUTPUT_QUIET ERROR_VARIABLE apt_error)
    find_path(ONNXRUNTIME_INCLUDE_DIR onnxruntime_c_api.h PATHS ${CMAKE_BINARY_DIR}/_ort/onnxruntime NO_DEFAULT_PATH)
  endif()
endif()

if(NOT ONNXRUNTIME_INCLUDE_DIR AND SNN_FETCH_ORT_HEADERS)
  set(archive onnxruntime-linux-x64-${SNN_ORT_VERSION})
  message(STATUS "ONNX Runtime headers: fetching the release archive ${archive}")
  file(DOWNLOAD https://github.com/microsoft/onnxruntime/releases/download/v${SNN_ORT_VERSION}/${archive}.tgz
       ${CMAKE_BINARY_DIR}/_ort/${archive}.tgz STATUS download TIMEOUT 120)
  list(GET download 0 failed)
  if(NOT failed)
    file(ARCHIVE_EXTRACT INPUT ${CMAKE_BINARY_DIR}/_ort/${archive}.tgz DESTINATION ${CMAKE_BINARY_DIR}/_ort)
    find_path(ONNXRUNTIME_INCLUDE_DIR onnxruntime_c_api.h PATHS ${CMAKE_BINARY_DIR}/_ort/${archive}/include NO_DEFAULT_PATH)
  endif()
endif()

if(NOT ONNXRUNTIME_INCLUDE_DIR)
  message(FATAL_ERROR
          "ONNX Runtime's headers (onnxruntime_c_api.h) were not found and could not be fetched.\n"
          "Install the package libonnxruntime-dev, or unpack a release of ONNX Runtime and pass "
          "-DONNXRUNTIME_INCLUDE_DIR=<its include folder>.\n${apt_error}")
endif()

file(STRINGS ${ONNXRUNTIME_INCLUDE_DIR}/onnxruntime_c_api.h api_version REGEX "^#define ORT_API_VERSION +[0-9]+")
string(REGEX MATCH "[0-9]+" SNN_ORT_API_VERSION "${api_version}")
message(STATUS "ONNX Runtime headers: ${ONNXRUNTIME_INCLUDE_DIR} (API ${SNN_ORT_API_VERSION})")

add_library(ort_headers INTERFACE)
target_include_directories(ort_headers SYSTEM INTERFACE ${ONNXRUNTIME_INCLUDE_DIR})
target_compile_definitions(ort_headers INTERFACE SNN_ORT_API_VERSION="${SNN_ORT_API_VERSION}")
