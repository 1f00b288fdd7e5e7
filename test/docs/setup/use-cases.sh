namespace infra
mkdir -p shop/templates
printf 'apiVersion: v2\nname: shop\nversion: 2.0.0\n' > shop/Chart.yaml
printf '#!/bin/sh\necho "$@"\n' > tofu
chmod +x tofu
