job shop one nightly-report registry.example/report:1
held shop nightly-report
job shop two nightly-report registry.example/report:1
kubectl create --filename - << MANIFEST
apiVersion: v1
kind: Pod
metadata:
  name: late
  labels:
    konductor.io/lease: nightly-report
  annotations:
    konductor.io/wait-timeout: 5s
spec:
  restartPolicy: Never
  containers:
    - name: main
      image: registry.example/report:1
MANIFEST
