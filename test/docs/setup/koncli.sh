job shop one nightly-report registry.example/report:1
held shop nightly-report
job shop two nightly-report registry.example/report:1
waiting shop two
job shop three nightly-report registry.example/report:1
waiting shop three
printf '#!/bin/sh\n' > generate-report
chmod +x generate-report
