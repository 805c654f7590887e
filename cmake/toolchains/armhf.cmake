set(XSTACK_CROSS_TRIPLE arm-linux-gnueabihf)
set(XSTACK_CROSS_DEB armhf)
set(CMAKE_SYSTEM_PROCESSOR arm)
include(${CMAKE_CURRENT_LIST_DIR}/cross.cmake)
