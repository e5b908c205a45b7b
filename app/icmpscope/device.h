/* What the operator wrote behind -p, understood and checked before EAL starts, when a clear sentence can still be
 * said. Called by main.c; port.c opens what stands here.
 */
#ifndef ICMPSCOPE_DEVICE_H
#define ICMPSCOPE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#define DEVICE_TEXT_LEN 256
#define DEVICE_ERR_LEN 512

enum device_kind { DEVICE_PCI, DEVICE_PACKET, DEVICE_XDP, DEVICE_CAPTURE, DEVICE_LOOP, DEVICE_VDEV };

struct device {
	enum device_kind kind;
	char text[DEVICE_TEXT_LEN];      /* as written */
	char target[DEVICE_TEXT_LEN];    /* interface, file, PCI address or vdev name: no two devices share it */
	char eal[DEVICE_TEXT_LEN + 128]; /* behind -a or --vdev */
	char name[64];                   /* by which EAL knows it */
	int node;
	unsigned data_room; /* of packet buffers */
	unsigned held;      /* buffers that the driver keeps for itself */
	bool shared_memory; /* a peer reads and writes the buffers: they must lie in one file */
	/* captures */
	uint64_t frames, snapped;
	uint32_t longest;
	char damage[DEVICE_ERR_LEN]; /* empty: whole */
	char note[DEVICE_ERR_LEN];   /* what the operator should know all the same */
};

/* index makes the device's name unique. 0; -EINVAL for what can never be a device (usage), another -errno for
 * one that is not there or cannot be read; err says so in one line.
 */
int device_parse(struct device *d, unsigned index, const char *text, char err[static DEVICE_ERR_LEN]);

/* Time comes from the capture. */
static inline bool
device_is_once(const struct device *d)
{
	return d->kind == DEVICE_CAPTURE;
}

#endif
