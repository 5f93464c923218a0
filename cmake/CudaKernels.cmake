# The CUDA kernels, compiled into the same library. cudart is linked statically and needs the driver only when a kernel
# runs, so the library also loads where there is none.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 86-real 89-real 90) # and PTX for what comes after
endif()
enable_language(CUDA)
message(STATUS "CUDA kernels: yes, ${CMAKE_CUDA_COMPILER_VERSION}, for ${CMAKE_CUDA_ARCHITECTURES}")

target_sources(onnx_snn PRIVATE kernels/cuda/walk.cu)
target_compile_definitions(onnx_snn PRIVATE SNN_CUDA)
# no product is contracted with a sum into one rounding: the same bits as on the CPU
target_compile_options(onnx_snn PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-fmad=false>)
# the smallest library; older toolkits' drivers may not be able to read it
if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
  target_compile_options(onnx_snn PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:--compress-mode=size>)
endif()
set_target_properties(onnx_snn PROPERTIES CUDA_ARCHITECTURES "${CMAKE_CUDA_ARCHITECTURES}" CUDA_RUNTIME_LIBRARY Static
                                          CUDA_STANDARD 17 CUDA_VISIBILITY_PRESET hidden)
target_link_options(onnx_snn PRIVATE LINKER:--exclude-libs,ALL)
