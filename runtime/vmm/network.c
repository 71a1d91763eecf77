/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network: hull-oci has taken over the interfaces of the container's network namespace and hands
 * over a tap for each, with what they were configured with. The machine gets a device for each tap,
 * by whose hardware address the guest knows which interface it stands for.
 */
#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/io.h"
#include "microvm/tap.h"
#include "runtime/vmm/vmm.h"

int network_load(struct vmm *v, struct err *err)
{
	BUF text = BUF_INIT;
	int rc;

	if (v->o.network_fd < 0)
		return v->o.n_taps ? err_set(err, EINVAL, "taps without a network") : 0;
	rc = io_read_all(v->o.network_fd, "the network's configuration", NETCONF_BYTES_MAX, &text,
			 err);
	if (rc == 0)
		rc = netconf_decode(buf_str(&text), text.len, &v->network, err);
	if (rc < 0)
		return rc;
	fd_replace(&v->o.network_fd, -1);
	if (v->network->n_links != v->o.n_taps)
		return err_set(err, EINVAL, "%zu taps for %zu interfaces", v->o.n_taps,
			       v->network->n_links);
	return 0;
}

int network_devices(struct vmm *v, struct machine_net ret[static NETCONF_LINKS_MAX], size_t *ret_n,
		    struct err *err)
{
	const size_t n = v->network ? v->network->n_links : 0;

	for (size_t i = 0; i < n; i++) {
		const struct netconf_link *l = &v->network->links[i];
		int rc = tap_prepare(v->o.tap_fds[i], err);

		if (rc < 0)
			return err_wrap(err, rc, "interface '%s'", l->name);
		/* The guest's agent sets the MTU; a device to spare could not tell it at boot. */
		ret[i] = (struct machine_net){.fd = v->o.tap_fds[i]};
		memcpy(ret[i].mac, l->mac, sizeof(ret[i].mac));
	}
	*ret_n = n;
	return 0;
}

void network_put(const struct vmm *v, struct buf *request)
{
	BUF text = BUF_INIT;

	netconf_encode(v->network, &text);
	proto_put_bytes(request, PROTO_F_NETWORK, text.data, text.len);
}
