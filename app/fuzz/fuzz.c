/* What the fuzz targets share. */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

void
fuzz_check_line(const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	FUZZ_CHECK(n < size, "a message without end");
	FUZZ_CHECK(n != 0, "an empty message");
	for (size_t i = 0; i < n; i++)
		FUZZ_CHECK(text[i] >= 0x20 && text[i] < 0x7f, "octet 0x%02x in a message", (unsigned char)text[i]);
}

const char *
fuzz_file(const void *data, size_t len)
{
	static char path[40];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, len, 0) != (ssize_t)len) {
		perror("memfd");
		exit(1);
	}
	return path;
}
