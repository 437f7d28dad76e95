import time
def test_it(slurm):
    print(slurm.command("sinfo"))
    print(slurm.command("sbatch","--gpus=1","--wrap","srun -n1 sh -c 'echo $CUDA_VISIBLE_DEVICES'; sleep 1", "-o", str(slurm.folder/"out.txt")))
    time.sleep(4)
    print((slurm.folder/"out.txt").read_text())
    print((slurm.folder/"log/tasks.txt").read_text())
    print((slurm.folder/"log/ended.txt").read_text())
    print(slurm.command("scontrol","-o","-d","show","job"))
