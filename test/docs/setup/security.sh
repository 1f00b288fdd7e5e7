namespace team-a
