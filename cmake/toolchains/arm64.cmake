set(XSTACK_CROSS_TRIPLE aarch64-linux-gnu)
set(XSTACK_CROSS_DEB arm64)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
include(${CMAKE_CURRENT_LIST_DIR}/cross.cmake)
